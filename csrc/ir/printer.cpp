// Prints jaxprs the way JAX does: one line if it fits in 80 columns, else an
// equation per line; params in alphabetical order.
#include <algorithm>
#include <functional>

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

class Printer {
 public:
  std::string print(const Jaxpr& j, size_t num_consts = 0) {
    std::vector<std::string> names(j.avals.size());
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
      lines.push_back(print_eqn(j, e, names, used));
      multi |= lines.back().find('\n') != std::string::npos;
    }
    std::vector<std::string> outs;
    for (Atom a : j.out) outs.push_back(print_atom(j, a, names));
    std::string tail = cat("in ", tuple_string(outs), " }");

    std::string flat = head;
    for (size_t i = 0; i < lines.size(); ++i)
      flat += cat(i ? "; " : " ", lines[i]);
    flat += ' ' + tail;
    if (!multi && flat.size() <= kWidth) return flat;
    std::string out = head;
    for (const auto& line : lines) out += "\n    " + indent_lines(line, "    ");
    return out + "\n  " + tail;
  }

 private:
  std::string fresh_name() {
    int n = next_++;
    std::string s;
    do {
      s.insert(s.begin(), char('a' + n % 26));
      n /= 26;
    } while (n > 0);
    return s;
  }
  std::string bind(const Jaxpr& j, Var v, std::vector<std::string>& names,
                   bool used) {
    names[size_t(v)] = used ? fresh_name() : "_";
    return cat(names[size_t(v)], ":", j.avals[size_t(v)]);
  }
  std::string print_atom(const Jaxpr& j, Atom a,
                         const std::vector<std::string>& names) {
    if (a.is_none()) return "*";
    if (a.is_var()) return names[size_t(a.id)];
    const Literal& lit = j.literals[size_t(a.literal_index())];
    return cat(lit, ":", lit.dtype, "[]");
  }
  std::string print_eqn(const Jaxpr& j, const Eqn& e,
                        std::vector<std::string>& names,
                        const std::vector<bool>& used) {
    std::string operands;
    for (Atom a : e.in) operands += ' ' + print_atom(j, a, names);
    std::string left;
    for (Var v : e.out) left += bind(j, v, names, used[size_t(v)]) + ' ';
    FieldPrinter fields([this](const Jaxpr& sub) { return print(sub); });
    std::vector<std::string> items;
    if (e.prim->print) {
      items = e.prim->print(e.params);
    } else {
      e.params.visit(fields);
      items = fields.take();
    }
    if (e.prim->inlined) hide_internal(items);
    left += cat("= ", e.prim->name);
    if (items.empty()) return left + operands;

    std::string one_line;
    append_joined(one_line, items, " ");
    bool multi = one_line.find('\n') != std::string::npos ||
                 left.size() + one_line.size() + operands.size() + 6 > kWidth;
    if (!multi) return cat(left, "[", one_line, "]", operands);
    std::string out = left + "[";
    for (const auto& item : items) out += "\n  " + indent_lines(item, "  ");
    return out + "\n]" + operands;
  }

  int next_ = 0;
};

}  // namespace

std::string to_string(const Jaxpr& j, size_t num_consts) {
  return Printer().print(j, num_consts);
}

}  // namespace cotan
