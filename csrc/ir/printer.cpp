// Prints jaxprs the way JAX does: one line if it fits in 80 columns, else an
// equation per line; params in alphabetical order, names of calls first. A
// jaxpr that occurs more than once, or is long, comes first, by its name.
#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>

#include "ir/jaxpr.h"
#include "ir/primitive.h"

namespace cotan {

namespace {

constexpr size_t kWidth = 80;

// Collects "name=value" strings; sub-jaxprs are rendered by the owner.
class FieldPrinter final : public ParamVisitor {
 public:
  using PrintJaxpr = std::function<std::string(const Jaxpr&)>;
  explicit FieldPrinter(PrintJaxpr p) : print_jaxpr_(std::move(p)) {}

  std::vector<std::string> take() {
    flush();
    std::sort(items_.begin(), items_.end());
    return std::move(items_);
  }

  void on_field(const char* name) override {
    if (depth_ == 0) {
      flush();
      text_ = cat(name, "=");
      started_ = true;
    } else {
      separate();
      text_ += cat(name, "=");
      first_ = true;
    }
  }
  void on_none() override { put("None"); }
  void on_bool(bool b) override { put(cat(b)); }
  void on_int(int64_t i) override { put(cat(i)); }
  void on_double(double d) override { put(cat(d)); }
  void on_string(std::string_view s) override { put(std::string(s)); }
  void on_enum(std::string_view name, int64_t) override {
    put(std::string(name));
  }
  void on_dtype(DType t) override { put(std::string(dtype_name(t))); }
  void on_dims(const Dims& d) override { put(tuple_string(d)); }
  void on_literal(const Literal& l) override { put(cat(l)); }
  void on_aval(const Aval& a) override { put(cat(a)); }
  // In a list, each on lines of its own.
  void on_jaxpr(const JaxprRef& j) override {
    std::string s = j ? print_jaxpr_(*j) : "None";
    if (depth_ == 0) return put(std::move(s));
    text_ += "\n  ";
    for (char c : s) text_ += c == '\n' ? "\n  " : std::string(1, c);
    closers_.back() = "\n)";
  }
  void on_opaque(const OpaqueRef& o) override {
    put(o ? o->describe() : "None");
  }
  void begin_list(size_t n) override { open("(", n == 1 ? ",)" : ")"); }
  void end_list() override { close(); }
  void begin_struct() override { open("(", ")"); }
  void end_struct() override { close(); }

 private:
  void separate() {
    if (!first_) text_ += depth_ ? ", " : "";
    first_ = false;
  }
  void put(std::string s) {
    separate();
    text_ += s;
  }
  void open(const char* with, const char* closer) {
    separate();
    text_ += with;
    closers_.push_back(closer);
    ++depth_;
    first_ = true;
  }
  void close() {
    text_ += closers_.back();
    closers_.pop_back();
    --depth_;
    first_ = false;
  }
  void flush() {
    if (started_) items_.push_back(std::move(text_));
    text_.clear();
    started_ = false;
    first_ = true;
  }

  PrintJaxpr print_jaxpr_;
  std::vector<std::string> items_, closers_;
  std::string text_;
  int depth_ = 0;
  bool first_ = true, started_ = false;
};

// What calls carry for the transforms is not shown.
void hide_internal(std::vector<std::string>& items) {
  std::erase_if(items, [](const std::string& s) {
    return s.starts_with("num_known=") || s.starts_with("num_consts=") ||
           s.starts_with("fun=");
  });
}

std::string indent_lines(const std::string& text, const char* by) {
  std::string out;
  for (char c : text) {
    out += c;
    if (c == '\n') out += by;
  }
  return out;
}

// The jaxprs among an equation's params, and its name, "jaxpr" if it has none.
struct SubJaxprs {
  std::vector<const Jaxpr*> jaxprs;
  std::string name;

  explicit SubJaxprs(const Eqn& e) {
    if (e.prim->print) return;
    FieldPrinter fields([this](const Jaxpr& j) {
      jaxprs.push_back(&j);
      return "";
    });
    e.params.visit(fields);
    for (const std::string& item : fields.take())
      if (item.starts_with("name=")) name = item.substr(5);
    std::erase_if(name, [](char c) { return c == '<' || c == '>'; });
  }
};

// A function by name and nothing else: the name comes first, and the function's
// variables are named like those of the call.
bool is_call(const Eqn& e) {
  if (!e.prim->inlined || e.prim->print) return false;
  FieldPrinter fields([](const Jaxpr&) { return ""; });
  e.params.visit(fields);
  std::vector<std::string> items = fields.take();
  hide_internal(items);
  int found = items.size() == 2 ? 0 : -1;
  for (const std::string& item : items)
    found += item.starts_with("name=") || item.starts_with("jaxpr=");
  return found == 2;
}

class Printer {
 public:
  std::string print_all(const Jaxpr& j, size_t num_consts) {
    find_shared(j);
    std::string out;
    for (const auto& [sub, name] : shared_) {
      std::string head = cat("let ", name, " = ");
      out += cat(head, print(*sub, 0, {.before = head.size(), .after = 3}),
                 " in\n");
    }
    return out + print(j, num_consts, {});
  }

 private:
  // More equations than these are not printed inside of others.
  static constexpr size_t kLong = 10;
  using Names = std::vector<std::string>;

  void find_shared(const Jaxpr& top) {
    std::vector<const Jaxpr*> order;
    std::map<const Jaxpr*, int> count;
    std::map<const Jaxpr*, std::string> names;
    std::deque<const Jaxpr*> left = {&top};
    while (!left.empty()) {
      const Jaxpr* j = left.front();
      left.pop_front();
      int& n = count[j];
      if (n == 0) order.push_back(j);
      if (++n > 2) continue;  // what is in it counts as shared by now
      if (j != &top && j->eqns.size() > kLong) ++n;
      for (const Eqn& e : j->eqns) {
        SubJaxprs subs(e);
        for (const Jaxpr* sub : subs.jaxprs) {
          left.push_back(sub);
          names.emplace(sub, subs.name.empty() ? "jaxpr" : subs.name);
        }
      }
    }
    std::map<std::string, int> taken;
    for (const Jaxpr* j : order) {
      if (count[j] < 2) continue;
      std::string name = names[j];
      if (int n = taken[name]++) name = cat(name, n);
      shared_.emplace_back(j, name);
      reserved_.insert(name);
    }
  }
  const std::string* shared_name(const Jaxpr& j) const {
    for (const auto& [sub, name] : shared_)
      if (sub == &j) return &name;
    return nullptr;
  }

  // Where a text will stand: the indentation of its lines, and how much of the
  // first and the last line is taken by others.
  struct Place {
    size_t indent = 0, before = 0, after = 0;
    bool fits(size_t n) const { return indent + before + n + after <= kWidth; }
  };

  // `names`: of some of the variables.
  std::string print(const Jaxpr& j, size_t num_consts, Place at,
                    Names names = {}) {
    names.resize(j.avals.size());
    std::vector<bool> used(j.avals.size());
    for (const Eqn& e : j.eqns)
      for (Atom a : e.in)
        if (a.is_var()) used[size_t(a.id)] = true;
    for (Atom a : j.out)
      if (a.is_var()) used[size_t(a.id)] = true;

    std::string head = "{ lambda ";
    for (size_t i = 0; i < num_consts; ++i)
      head += (i ? " " : "") + bind(j, j.in[i], names, true);
    head += ';';
    for (size_t i = num_consts; i < j.in.size(); ++i)
      head += ' ' + bind(j, j.in[i], names, true);
    head += ". let";
    std::vector<std::string> lines;
    bool multi = false;
    for (const Eqn& e : j.eqns) {
      lines.push_back(print_eqn(j, e, names, used, at.indent + 4));
      multi |= lines.back().find('\n') != std::string::npos;
    }
    std::vector<std::string> outs;
    for (Atom a : j.out) outs.push_back(print_atom(j, a, names));
    std::string tail = cat("in ", tuple_string(outs), " }");

    std::string flat = head;
    for (size_t i = 0; i < lines.size(); ++i)
      flat += cat(i ? "; " : " ", lines[i]);
    flat += ' ' + tail;
    if (!multi && at.fits(flat.size())) return flat;
    std::string out = head;
    for (const auto& line : lines) out += "\n    " + indent_lines(line, "    ");
    return out + "\n  " + tail;
  }

  std::string fresh_name() {
    std::string s;
    do {
      int n = next_++;
      s.clear();
      do {
        s.insert(s.begin(), char('a' + n % 26));
        n /= 26;
      } while (n > 0);
    } while (reserved_.contains(s));
    return s;
  }
  std::string bind(const Jaxpr& j, Var v, Names& names, bool used) {
    std::string& name = names[size_t(v)];
    if (!used) name = "_";
    if (name.empty()) name = fresh_name();
    return cat(name, ":", j.avals[size_t(v)]);
  }
  std::string print_atom(const Jaxpr& j, Atom a, const Names& names) {
    if (a.is_none()) return "*";
    if (a.is_var()) return names[size_t(a.id)];
    const Literal& lit = j.literals[size_t(a.literal_index())];
    return cat(lit, ":", lit.dtype, "[]");
  }

  // The variables of a called jaxpr, named like those of the call.
  Names like_call(const Jaxpr& sub, const Eqn& e, Names& outer,
                  const std::vector<bool>& used) {
    Names names(sub.avals.size());
    std::set<Var> taken;
    if (sub.in.size() == e.in.size())
      for (size_t i = 0; i < e.in.size(); ++i)
        if (e.in[i].is_var() && taken.insert(Var(e.in[i].id)).second)
          names[size_t(sub.in[i])] = outer[size_t(e.in[i].id)];
    if (sub.out.size() == e.out.size())
      for (size_t i = 0; i < e.out.size(); ++i) {
        if (!sub.out[i].is_var() || !names[size_t(sub.out[i].id)].empty())
          continue;
        std::string& name = outer[size_t(e.out[i])];
        name = used[size_t(e.out[i])] ? fresh_name() : "_";
        names[size_t(sub.out[i].id)] = name;
      }
    return names;
  }

  std::string print_eqn(const Jaxpr& j, const Eqn& e, Names& names,
                        const std::vector<bool>& used, size_t indent) {
    std::string operands;
    for (Atom a : e.in) operands += ' ' + print_atom(j, a, names);
    bool call = is_call(e);
    Names inner;
    if (call) {
      const Jaxpr& sub = *e.prim->inlined(e.params);
      if (!shared_name(sub)) inner = like_call(sub, e, names, used);
    }
    std::string left;
    for (Var v : e.out) left += bind(j, v, names, used[size_t(v)]) + ' ';
    FieldPrinter fields([&](const Jaxpr& sub) {
      if (const std::string* name = shared_name(sub)) return *name;
      return print(sub, 0, {.indent = indent + 2, .before = 6}, inner);
    });
    std::vector<std::string> items;
    if (e.prim->print) {
      items = e.prim->print(e.params);
    } else {
      e.params.visit(fields);
      items = fields.take();
    }
    if (e.prim->inlined) hide_internal(items);
    std::stable_partition(items.begin(), items.end(), [&](const auto& item) {
      return call && item.starts_with("name=");
    });
    left += cat("= ", e.prim->name);
    if (items.empty()) return left + operands;

    std::string one_line;
    append_joined(one_line, items, " ");
    Place at{.indent = indent};
    bool multi = one_line.find('\n') != std::string::npos ||
                 !at.fits(left.size() + one_line.size() + operands.size() + 2);
    if (!multi) return cat(left, "[", one_line, "]", operands);
    std::string out = left + "[";
    for (const auto& item : items) out += "\n  " + indent_lines(item, "  ");
    return out + "\n]" + operands;
  }

  int next_ = 0;
  std::vector<std::pair<const Jaxpr*, std::string>> shared_;
  std::set<std::string> reserved_;  // the names of these
};

}  // namespace

std::string to_string(const Jaxpr& j, size_t num_consts) {
  return Printer().print_all(j, num_consts);
}

}  // namespace cotan
