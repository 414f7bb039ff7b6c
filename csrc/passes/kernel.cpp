// Kernels: derived facts (dep, stage, parking), the table of run-time values,
// identity of code, the checker and the printer.
#include "passes/kernel.h"

#include <algorithm>

namespace cotan {

std::string_view enum_name(Schedule s) {
  constexpr std::string_view names[] = {"strip", "panel", "tile", "block"};
  return names[int(s)];
}

namespace {

AxisMask axes_of(const Affine& f) {
  AxisMask m = 0;
  for (size_t a = 0; a < f.stride.size(); ++a)
    if (f.stride[a] != 0) m |= AxisMask(1) << a;
  return m;
}

bool is_column(const Kernel& k, const Node& n) {
  return n.kind == NodeKind::reduce && k.schedule == Schedule::strip &&
         n.axis != k.lane();
}
// A reduction whose result is a value that later stages may use.
bool is_row(const Kernel& k, const Node& n) {
  return n.kind == NodeKind::reduce && !is_column(k, n);
}

// ---- finish_kernel

void derive_node(const Kernel& k, Node& n) {
  n.dep = 0;
  n.stage = 0;
  n.cost = 0;
  n.parked = -1;
  auto include = [&](int32_t i) {
    const Node& x = k.nodes[size_t(i)];
    n.dep |= x.dep;
    n.stage = std::max(n.stage, x.stage);
    n.cost += x.cost;
  };
  for (int32_t i : n.in) include(i);
  switch (n.kind) {
    case NodeKind::load:
      n.dep |= axes_of(n.map.at);
      for (const Guard& g : n.map.guards) n.dep |= axes_of(g.expr);
      for (const Indirect& x : n.map.indirect) include(x.node);
      n.cost += 1;
      break;
    case NodeKind::literal:
    case NodeKind::bitcast:
      break;
    case NodeKind::compute:
      n.cost += n.prim->cost;
      break;
    case NodeKind::generate:
      for (const Affine& f : n.index) n.dep |= axes_of(f);
      n.cost += n.prim->cost;
      break;
    case NodeKind::reduce:
      n.dep &= ~(AxisMask(1) << n.axis);
      if (is_row(k, n)) {
        n.stage += 1;
        n.cost = 0;  // its result is kept
      }
      break;
    case NodeKind::guard:
      for (const Guard& g : n.guards) n.dep |= axes_of(g.expr);
      n.cost += 1;
      break;
    case NodeKind::product:
      n.dep = (AxisMask(1) << k.rank()) - 1;
      break;
  }
}

// Axes along which the innermost loops run: values that vary on them are
// evaluated per element, the others per row.
AxisMask inner_axes(const Kernel& k) {
  AxisMask m = k.lane_bit();
  if (k.schedule == Schedule::panel && k.rank() > 1) m |= m >> 1;
  return m;
}

// Walks the bodies of each stage as a backend emits them and parks what would
// be evaluated again at some cost.
struct Parking {
  Kernel& k;
  AxisMask inner;
  std::vector<int> first;  // stage of the first evaluation, -1: none
  std::vector<int> seen;   // last stage whose body has the node
  static constexpr float kCheap = 12;
  static constexpr float kDear = 6;  // one operation: division and up

  explicit Parking(Kernel& kernel)
      : k(kernel),
        inner(inner_axes(kernel)),
        first(kernel.nodes.size(), -1),
        seen(kernel.nodes.size(), -1) {}

  bool worth(const Node& n) const {
    return n.cost > kCheap ||
           (n.kind == NodeKind::compute && n.prim->cost >= kDear);
  }
  void visit(int32_t i, int stage) {
    Node& n = k.nodes[size_t(i)];
    if ((n.dep & inner) == 0 || seen[size_t(i)] == stage) return;
    if (n.kind == NodeKind::reduce && is_row(k, n)) return;
    seen[size_t(i)] = stage;
    if (first[size_t(i)] < 0) {
      first[size_t(i)] = stage;
    } else if (n.parked >= 0) {
      return;
    } else if (worth(n)) {
      n.parked = k.parked++;
      return;
    }
    k.cost += n.kind == NodeKind::compute || n.kind == NodeKind::generate
                  ? n.prim->cost
                  : 1;
    for (int32_t j : n.in) visit(j, stage);
    for (const Indirect& x : n.map.indirect) visit(x.node, stage);
  }
};

}  // namespace

void finish_kernel(Kernel& k) {
  k.cost = 0;
  k.parked = 0;
  for (Node& n : k.nodes) derive_node(k, n);
  for (Store& s : k.stores)
    s.dep = k.nodes[size_t(s.node)].dep | axes_of(s.map.at);
  AxisMask inner = inner_axes(k);
  int last = 0;
  for (const Node& n : k.nodes)
    if (n.kind == NodeKind::reduce)
      last = std::max(last, int(k.nodes[size_t(n.in[0])].stage));
  for (const Store& s : k.stores) {
    const Node& n = k.nodes[size_t(s.node)];
    if (s.dep & inner) last = std::max(last, int(n.stage));
  }
  k.stages = uint8_t(last + 1);
  Parking parking(k);
  for (int stage = 0; stage <= last; ++stage) {
    for (size_t i = 0; i < k.nodes.size(); ++i) {
      const Node& n = k.nodes[i];
      if (n.kind == NodeKind::reduce &&
          k.nodes[size_t(n.in[0])].stage == stage) {
        k.cost += 1;
        parking.visit(n.in[0], stage);
      }
    }
    for (const Store& s : k.stores) {
      const Node& n = k.nodes[size_t(s.node)];
      if (n.stage == stage && !is_column(k, n)) parking.visit(s.node, stage);
    }
  }
}

int Kernel::grid_axes() const {
  int r = rank();
  bool reduces = false;
  int column = r;
  for (const Node& n : nodes) {
    if (n.kind != NodeKind::reduce) continue;
    reduces = true;
    if (n.axis != lane()) column = std::min(column, int(n.axis));
  }
  switch (schedule) {
    case Schedule::strip:
      if (column < r) return column;
      return r == 1 && !reduces ? 1 : r - 1;
    case Schedule::panel:
      return std::max(0, r - 2);
    case Schedule::tile:
      return std::max(1, r - 2);
    case Schedule::block:
      return 1;
  }
  return 0;
}

int64_t parked_bytes(const Kernel& k) {
  if (k.parked == 0) return 0;
  int64_t row = k.axes.back() + 64;
  if (k.schedule == Schedule::panel && k.rank() > 1)
    row = k.axes[size_t(k.rank() - 2)] * 64;
  int64_t total = 0;
  for (const Node& n : k.nodes)
    if (n.parked >= 0) total += (row * itemsize(n.dtype) + 63) / 64 * 64;
  return total;
}

// ---- run-time values

MetaLayout::MetaLayout(const Kernel& k) {
  const int rank = k.rank();
  extents = 0;
  ragged = rank;
  size = rank + 1;
  auto guards = [&](size_t n) { size += int(n) * (rank + 3); };
  auto map = [&](const Map& m) {
    size += rank + 1;
    guards(m.guards.size());
    size += 2 * int(m.indirect.size());
  };
  node.reserve(k.nodes.size());
  for (const Node& n : k.nodes) {
    int base = size;
    switch (n.kind) {
      case NodeKind::load:
        map(n.map);
        break;
      case NodeKind::literal:
        if (!n.baked) size += 2;
        break;
      case NodeKind::generate:
        size += int(n.index.size()) * (rank + 1);
        break;
      case NodeKind::guard:
        guards(n.guards.size());
        break;
      default:
        break;
    }
    node.push_back(size == base ? -1 : base);
  }
  for (const Store& s : k.stores) {
    store.push_back(size);
    map(s.map);
  }
}

std::vector<int64_t> meta_values(const Kernel& k) {
  std::vector<int64_t> out;
  const size_t rank = k.axes.size();
  auto affine = [&](const Affine& f) {
    for (size_t a = 0; a < rank; ++a)
      out.push_back(a < f.stride.size() ? f.stride[a] : 0);
    out.push_back(f.offset);
  };
  auto guards = [&](const auto& list) {
    for (const Guard& g : list) {
      affine(g.expr);
      out.push_back(g.lo);
      out.push_back(g.hi);
    }
  };
  auto map = [&](const Map& m) {
    affine(m.at);
    guards(m.guards);
    for (const Indirect& x : m.indirect) {
      out.push_back(x.stride);
      out.push_back(x.limit);
    }
  };
  out.reserve(64);
  for (int64_t e : k.axes) out.push_back(e);
  out.push_back(k.ragged.total);
  for (const Node& n : k.nodes) {
    if (n.kind == NodeKind::load) map(n.map);
    if (n.kind == NodeKind::generate)
      for (const Affine& f : n.index) affine(f);
    if (n.kind == NodeKind::guard) guards(n.guards);
    if (n.kind == NodeKind::literal && !n.baked) {
      int64_t words[2];
      std::memcpy(words, n.literal.bytes, sizeof words);
      out.push_back(words[0]);
      out.push_back(words[1]);
    }
  }
  for (const Store& s : k.stores) map(s.map);
  return out;
}

// ---- identity of code. One walk serves equality and hashing: it lists the
// words that are compiled in.

namespace {

class CodeWords {
 public:
  explicit CodeWords(const Kernel& k) : k_(k) {
    words_.reserve(16 + 12 * k.nodes.size());
    walk();
  }
  const std::vector<uint64_t>& words() const { return words_; }

 private:
  void put(uint64_t w) { words_.push_back(w); }
  // A value that is compiled in only where sizes are.
  bool fixed(size_t axis) const {
    return k_.specialised || (k_.schedule == Schedule::block && axis > 0);
  }
  void affine(const Affine& f) {
    uint64_t classes = 0;
    for (size_t a = 0; a < k_.axes.size(); ++a) {
      int64_t s = a < f.stride.size() ? f.stride[a] : 0;
      classes = classes << 2 | uint64_t(stride_class(s));
      if (fixed(a)) put(uint64_t(s));
    }
    int64_t lane = f.stride.empty() ? 0 : f.stride.back();
    put(classes | uint64_t(is_interleaved(lane) ? lane : 0) << 56);
    if (k_.specialised) put(uint64_t(f.offset));
  }
  template <class List>
  void guards(const List& list) {
    put(list.size());
    for (const Guard& g : list) {
      affine(g.expr);
      if (k_.specialised || k_.schedule == Schedule::block) {
        put(uint64_t(g.lo));
        put(uint64_t(g.hi));
      }
    }
  }
  void map(const Map& m) {
    affine(m.at);
    guards(m.guards);
    put(m.indirect.size());
    for (const Indirect& x : m.indirect) {
      put(uint64_t(x.node) << 2 | uint64_t(stride_class(x.stride)));
      if (k_.specialised) {
        put(uint64_t(x.stride));
        put(uint64_t(x.limit));
      }
    }
  }
  void node(const Node& n) {
    put(uint64_t(n.kind) | uint64_t(n.dtype) << 8 | uint64_t(n.out) << 16 |
        uint64_t(n.monoid) << 24 | uint64_t(uint8_t(n.axis)) << 32 |
        uint64_t(n.baked) << 40 | uint64_t(uint16_t(n.parked)) << 44);
    put(n.in.size());
    for (int32_t i : n.in) put(uint64_t(i));
    switch (n.kind) {
      case NodeKind::load:
        put(uint64_t(n.operand));
        map(n.map);
        break;
      case NodeKind::literal:
        if (n.baked || k_.specialised) {
          uint64_t w[2];
          std::memcpy(w, n.literal.bytes, sizeof w);
          put(w[0]);
          put(w[1]);
        }
        break;
      case NodeKind::generate:
        put(n.aval.hash());
        for (const Affine& f : n.index) affine(f);
        [[fallthrough]];
      case NodeKind::compute:
        put(reinterpret_cast<uint64_t>(n.prim));
        break;
      case NodeKind::guard:
        guards(n.guards);
        break;
      default:
        break;
    }
  }
  void walk() {
    put(uint64_t(k_.schedule) | uint64_t(k_.unroll) << 8 |
        uint64_t(k_.streaming) << 16 | uint64_t(k_.specialised) << 17 |
        uint64_t(k_.stages) << 24 | uint64_t(uint8_t(k_.ragged.axis)) << 32 |
        uint64_t(uint8_t(k_.ragged.outer)) << 40 |
        uint64_t(k_.axes.size()) << 48);
    for (size_t a = 0; a < k_.axes.size(); ++a)
      if (fixed(a)) put(uint64_t(k_.axes[a]));
    if (k_.specialised) put(uint64_t(k_.ragged.total));
    put(k_.operands.size());
    for (const Operand& o : k_.operands)
      put(uint64_t(o.dtype) | uint64_t(o.read) << 8 | uint64_t(o.written) << 9);
    put(k_.nodes.size());
    for (const Node& n : k_.nodes) node(n);
    put(k_.stores.size());
    for (const Store& s : k_.stores) {
      put(uint64_t(s.node));
      put(uint64_t(s.operand));
      map(s.map);
    }
  }

  const Kernel& k_;
  std::vector<uint64_t> words_;
};

}  // namespace

bool same_code(const Kernel& a, const Kernel& b) {
  if (a.nodes.size() != b.nodes.size() || a.stores.size() != b.stores.size())
    return false;
  for (size_t i = 0; i < a.nodes.size(); ++i) {
    const Node &x = a.nodes[i], &y = b.nodes[i];
    if (x.prim != y.prim || !(x.params == y.params)) return false;
    if (x.kind == NodeKind::generate && !(x.aval == y.aval)) return false;
  }
  return CodeWords(a).words() == CodeWords(b).words();
}

uint64_t code_hash(const Kernel& k) {
  uint64_t h = k.nodes.size();
  CodeWords code(k);
  for (uint64_t w : code.words()) h = hash_mix(h, w);
  for (const Node& n : k.nodes)
    if (n.params) h = hash_mix(h, n.params.hash());
  return h;
}

// ---- the checker

namespace {

struct Checker {
  const Kernel& k;

  void need(bool ok, const char* what) const {
    if (!ok)
      throw_error(ErrorKind::internal,
                  cat("ill-formed kernel: ", what, "\n", to_string(k)));
  }
  void affine(const Affine& f) const {
    need(f.stride.size() == k.axes.size(), "a stride per axis");
  }
  void map(const Map& m, size_t before, bool is_store) const {
    affine(m.at);
    for (const Guard& g : m.guards) affine(g.expr);
    for (const Indirect& x : m.indirect) {
      need(x.node >= 0 && size_t(x.node) < before, "indirect: node order");
      const Node& n = k.nodes[size_t(x.node)];
      need(is_int(n.dtype), "indirect: an integer");
      need(!is_store || n.dep == 0, "indirect stores: one index per call");
    }
  }
  void node(size_t i) const {
    const Node& n = k.nodes[i];
    for (int32_t j : n.in)
      need(j >= 0 && size_t(j) < i, "operands come before their users");
    if (n.kind == NodeKind::load) {
      need(n.operand >= 0 && size_t(n.operand) < k.operands.size(),
           "load: operand in range");
      const Operand& o = k.operands[size_t(n.operand)];
      need(o.read && o.dtype == n.dtype, "load: a readable operand of a dtype");
      map(n.map, i, false);
    }
    if (n.kind == NodeKind::compute) need(n.prim && n.prim->scalar, "compute");
    if (n.kind == NodeKind::generate) {
      need(n.prim && n.prim->generate, "generate");
      need(n.index.size() == n.aval.shape.size(), "generate: rank");
      for (const Affine& f : n.index) affine(f);
    }
    if (n.kind == NodeKind::reduce) {
      need(n.in.size() == 1 && n.axis >= 0 && n.axis < k.rank(), "reduce");
      need(k.schedule != Schedule::tile, "tile kernels do not reduce");
    }
    if (n.kind == NodeKind::bitcast)
      need(n.in.size() == 1 &&
               itemsize(k.nodes[size_t(n.in[0])].dtype) == itemsize(n.dtype),
           "bitcast: equal sizes");
    if (n.kind == NodeKind::guard) {
      need(n.in.size() == 2, "guard: two operands");
      for (const Guard& g : n.guards) affine(g.expr);
    }
  }
  void in_place(const Store& s) const {
    for (const Node& n : k.nodes)
      if (n.kind == NodeKind::load && n.operand == s.operand)
        need(n.map == s.map && n.stage <= k.nodes[size_t(s.node)].stage,
             "in place: the maps of load and store are equal");
  }
  void run() const {
    need(!k.axes.empty() && k.rank() <= kMaxAxes, "rank");
    need(k.ragged.axis < 0 ||
             (k.ragged.outer >= 0 && k.ragged.outer < k.ragged.axis &&
              k.ragged.axis < k.rank()),
         "ragged axis");
    for (size_t i = 0; i < k.nodes.size(); ++i) node(i);
    for (const Store& s : k.stores) {
      need(s.node >= 0 && size_t(s.node) < k.nodes.size(), "store: node");
      need(s.operand >= 0 && size_t(s.operand) < k.operands.size(),
           "store: operand");
      const Operand& o = k.operands[size_t(s.operand)];
      need(o.written, "store: a writable operand");
      need(o.dtype == k.nodes[size_t(s.node)].dtype, "store: dtype");
      map(s.map, k.nodes.size(), true);
      if (o.read) in_place(s);
    }
    need(!k.stores.empty(), "a kernel stores something");
  }
};

}  // namespace

void check_kernel(const Kernel& k) { Checker{k}.run(); }

// ---- the printer

namespace {

void print_affine(std::string& out, const Affine& f) {
  bool any = false;
  for (size_t a = 0; a < f.stride.size(); ++a) {
    if (f.stride[a] == 0) continue;
    if (any) out += '+';
    any = true;
    if (f.stride[a] != 1) out += cat(f.stride[a], "*");
    out += cat('i', a);
  }
  if (!any || f.offset != 0) out += cat(any ? "+" : "", f.offset);
}
template <class List>
void print_guards(std::string& out, const List& guards) {
  for (const Guard& g : guards) {
    out += cat(" if ", g.lo, "<=");
    print_affine(out, g.expr);
    out += cat('<', g.hi);
  }
}
void print_map(std::string& out, const Map& m) {
  out += '[';
  print_affine(out, m.at);
  for (const Indirect& x : m.indirect)
    out += cat("+clamp(%", x.node, ", ", x.limit, ")*", x.stride);
  out += ']';
  print_guards(out, m.guards);
}

void print_node(std::string& out, const Kernel& k, size_t i) {
  const Node& n = k.nodes[i];
  out += cat("  %", i, ":", n.dtype, " = ");
  switch (n.kind) {
    case NodeKind::load:
      out += cat("load p", n.operand);
      print_map(out, n.map);
      break;
    case NodeKind::literal:
      out += cat(n.literal, n.baked ? "" : " (meta)");
      break;
    case NodeKind::compute:
      out += cat(n.prim->name, n.out ? cat('.', int(n.out)) : "");
      break;
    case NodeKind::generate:
      out += n.prim->name;
      for (const Affine& f : n.index) {
        out += ' ';
        print_affine(out, f);
      }
      break;
    case NodeKind::reduce:
      out += cat("reduce_", enum_name(n.monoid), "[i", int(n.axis), "]");
      break;
    case NodeKind::guard:
      out += "guard";
      print_guards(out, n.guards);
      break;
    case NodeKind::bitcast:
      out += "bitcast";
      break;
    case NodeKind::product:
      out += "product";
      break;
  }
  for (int32_t j : n.in) out += cat(" %", j);
  if (n.stage) out += cat("  @", int(n.stage));
  if (n.parked >= 0) out += cat("  parked ", n.parked);
  out += '\n';
}

}  // namespace

std::string to_string(const Kernel& k) {
  std::string out = cat("kernel ", k.name, " ", enum_name(k.schedule), " [");
  for (size_t a = 0; a < k.axes.size(); ++a)
    out += cat(a ? ", " : "", k.axes[a],
               k.ragged.axis == int(a) ? cat(" of ", k.ragged.total) : "");
  out += cat("] unroll ", int(k.unroll), k.streaming ? " streaming" : "",
             k.specialised ? " specialised" : "", " {\n");
  for (size_t i = 0; i < k.nodes.size(); ++i) print_node(out, k, i);
  for (const Store& s : k.stores) {
    out += cat("  p", s.operand);
    print_map(out, s.map);
    out += cat(" = %", s.node, '\n');
  }
  return out += "}\n";
}

}  // namespace cotan
