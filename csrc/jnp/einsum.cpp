// Einstein summation: parsing, the order of contraction, and each contraction
// as one dot_general (or a product, where nothing is summed).
#include <algorithm>
#include <limits>

#include "base/error.h"
#include "jnp/products.h"
#include "jnp/reductions.h"
#include "jnp/ufuncs.h"
#include "ops/lax.h"

namespace cotan::jnp {

namespace {

// A letter is its own label; the k-th axis from the right of "..." is
// kEllipsis - k, so that ellipses of several lengths align.
using Labels = SmallVector<int, 8>;
constexpr int kEllipsis = 1 << 20;

bool has(const Labels& l, int x) {
  return std::find(l.begin(), l.end(), x) != l.end();
}

struct Term {
  Value x;
  Labels labels;

  int64_t size_of(int label) const {
    for (size_t d = 0; d < labels.size(); ++d)
      if (labels[d] == label) return x.shape()[d];
    return 1;
  }
  int64_t axis_of(int label) const {
    return std::find(labels.begin(), labels.end(), label) - labels.begin();
  }
};

struct Equation {
  std::vector<Term> terms;
  Labels output;
};

// ---- parsing

std::vector<std::string_view> split(std::string_view s, char at) {
  std::vector<std::string_view> out;
  for (size_t from = 0;;) {
    size_t to = s.find(at, from);
    out.push_back(s.substr(from, to - from));
    if (to == std::string_view::npos) return out;
    from = to + 1;
  }
}

// `rank`: of the operand; -1 for the output, whose "..." has `dots` axes.
Labels parse_labels(std::string_view text, int64_t rank, int64_t dots,
                    size_t operand) {
  int64_t letters = 0;
  size_t ellipsis = text.find("...");
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == ellipsis) {
      i += 2;
      continue;
    }
    bool letter = (text[i] >= 'a' && text[i] <= 'z') ||
                  (text[i] >= 'A' && text[i] <= 'Z');
    if (!letter)
      throw_value("Character ", text[i], " is not a valid einsum symbol.");
    ++letters;
  }
  bool has_ellipsis = ellipsis != std::string_view::npos;
  if (rank >= 0) {
    dots = rank - letters;
    if (dots < 0 || (!has_ellipsis && dots > 0))
      throw_value("Einstein sum subscript '", text,
                  "' does not contain the correct number of indices for "
                  "operand ",
                  operand, ".");
  }
  Labels out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i != ellipsis) {
      out.push_back(text[i]);
      continue;
    }
    for (int64_t k = dots; k-- > 0;) out.push_back(kEllipsis - int(k));
    i += 2;
  }
  return out;
}

Equation parse(std::string_view subscripts, std::span<const Value> operands) {
  std::string text;
  for (char c : subscripts)
    if (c != ' ') text += c;
  size_t arrow = text.find("->");
  std::string_view inputs = std::string_view(text).substr(0, arrow);
  auto parts = split(inputs, ',');
  if (parts.size() != operands.size())
    throw_value("Number of einsum subscripts, ", parts.size(),
                ", must be equal to the number of operands, ", operands.size(),
                ".");
  TypeAndWeak t = result_type(operands);
  Equation e;
  for (size_t i = 0; i < parts.size(); ++i)
    e.terms.push_back({lax::convert(operands[i], t.dtype, t.weak),
                       parse_labels(parts[i], operands[i].rank(), 0, i)});
  Labels all;
  for (const Term& term : e.terms)
    for (int l : term.labels) all.push_back(l);
  std::sort(all.begin(), all.end());
  int64_t dots = 0;
  for (int l : all)
    if (l > 255) dots = std::max<int64_t>(dots, kEllipsis - l + 1);
  if (arrow != std::string::npos) {
    auto out = std::string_view(text).substr(arrow + 2);
    e.output = parse_labels(out, -1, dots, 0);
    for (size_t i = 0; i < e.output.size(); ++i) {
      int l = e.output[i];
      if (!has(all, l))
        throw_value("Output character '", char(l),
                    "' did not appear in the input");
      for (size_t j = 0; j < i; ++j)
        if (e.output[j] == l)
          throw_value("Output character '", char(l),
                      "' appeared more than once");
    }
  } else {  // "..." first, then the letters that occur once
    for (int64_t k = dots; k-- > 0;) e.output.push_back(kEllipsis - int(k));
    for (size_t i = 0; i < all.size(); ++i) {
      bool once = (i == 0 || all[i - 1] != all[i]) &&
                  (i + 1 == all.size() || all[i + 1] != all[i]);
      if (once && all[i] <= 255) e.output.push_back(all[i]);
    }
  }
  return e;
}

// Extents of a label agree, or are 1.
void check_sizes(const Equation& e) {
  for (size_t i = 0; i < e.terms.size(); ++i)
    for (int l : e.terms[i].labels) {
      int64_t n = e.terms[i].size_of(l);
      for (size_t j = 0; j < i; ++j) {
        if (!has(e.terms[j].labels, l)) continue;
        int64_t m = e.terms[j].size_of(l);
        if (n != m && n != 1 && m != 1)
          throw_value("Size of label '", l > 255 ? '.' : char(l),
                      "' for operand ", i, " (", n,
                      ") does not match previous terms (", m, ").");
      }
    }
}

// ---- one operand

Value in_order(const Value& x, const Labels& from, const Labels& to) {
  Axes perm;
  for (int l : to)
    perm.push_back(std::find(from.begin(), from.end(), l) - from.begin());
  return permute(x, perm);
}

// "ii" -> "i": two equal axes go last, are joined, and every (n+1)st element
// of them is on the diagonal.
void take_diagonals(Term& t) {
  for (size_t i = 0; i < t.labels.size(); ++i)
    for (size_t j = i + 1; j < t.labels.size(); ++j) {
      if (t.labels[i] != t.labels[j]) continue;
      int64_t n = t.x.shape()[i];
      if (n != t.x.shape()[j])
        throw_value("[einsum] a repeated label needs equal extents, got ", n,
                    " and ", t.x.shape()[j]);
      int64_t rank = t.x.rank();
      Value y = move_axes(t.x, {int64_t(i), int64_t(j)}, {rank - 2, rank - 1});
      Shape joined(y.shape().begin(), y.shape().end() - 2);
      joined.push_back(n * n);
      y = reshape(y, joined);
      Dims start(joined.size(), 0), stride(joined.size(), 1);
      stride.back() = n + 1;
      if (n > 0) y = lax::slice(y, start, joined, stride);
      int label = t.labels[i];
      t.labels.erase(t.labels.begin() + j);
      t.labels.erase(t.labels.begin() + i);
      t.labels.push_back(label);
      t.x = y;
      return take_diagonals(t);
    }
}

// Sums the axes whose label nobody else needs.
void sum_private(Term& t, const Labels& needed) {
  ReduceOptions o{.axes = Axes{},
                  .dtype = {},
                  .keepdims = false,
                  .initial = {},
                  .where = {},
                  .promote_integers = false};
  Labels kept;
  for (size_t d = 0; d < t.labels.size(); ++d) {
    if (has(needed, t.labels[d]))
      kept.push_back(t.labels[d]);
    else
      o.axes->push_back(int64_t(d));
  }
  if (o.axes->empty()) return;
  if (t.x.dtype() == DType::bool_)
    t.x = reduction(Reducer::any, t.x, o);
  else
    t.x = sum(t.x, o);
  t.labels = std::move(kept);
}

// ---- two operands

// Extent 1 stretches: such an axis says nothing and is dropped where the
// other operand has the label.
void drop_stretched(Term& a, const Term& b) {
  Axes axes;
  Labels kept;
  for (size_t d = 0; d < a.labels.size(); ++d) {
    int l = a.labels[d];
    if (a.x.shape()[d] == 1 && has(b.labels, l) && b.size_of(l) != 1)
      axes.push_back(int64_t(d));
    else
      kept.push_back(l);
  }
  if (axes.empty()) return;
  a.x = lax::squeeze(a.x, std::move(axes));
  a.labels = std::move(kept);
}

Labels pair_labels(const Term& a, const Term& b, const Labels& needed) {
  Labels out;  // batch, free of a, free of b
  for (int l : a.labels)
    if (has(b.labels, l) && has(needed, l)) out.push_back(l);
  for (int l : a.labels)
    if (!has(b.labels, l)) out.push_back(l);
  for (int l : b.labels)
    if (!has(a.labels, l)) out.push_back(l);
  return out;
}

Value multiply_terms(const Term& a, const Term& b, const Labels& out) {
  auto spread = [&](const Term& t) {
    Labels own;
    Axes added;
    for (size_t i = 0; i < out.size(); ++i) {
      if (has(t.labels, out[i]))
        own.push_back(out[i]);
      else
        added.push_back(int64_t(i));
    }
    Value x = in_order(t.x, t.labels, own);
    return added.empty() ? x : lax::expand_dims(x, std::move(added));
  };
  return multiply(spread(a), spread(b));
}

Term contract_pair(Term a, Term b, const Labels& needed, const Labels* order,
                   const ProductOptions& o) {
  drop_stretched(a, b);
  drop_stretched(b, a);
  sum_private(a, [&] {
    Labels n = needed;
    for (int l : b.labels) n.push_back(l);
    return n;
  }());
  sum_private(b, [&] {
    Labels n = needed;
    for (int l : a.labels) n.push_back(l);
    return n;
  }());
  Labels out = pair_labels(a, b, needed);
  if (order && out != *order) {
    // The other way round may need no transpose.
    Labels swapped = pair_labels(b, a, needed);
    if (swapped == *order) {
      std::swap(a, b);
      out = std::move(swapped);
    }
  }
  DotParams p;
  p.precision = o.precision;
  p.preferred = o.preferred ? canonical(*o.preferred) : a.x.dtype();
  for (int l : a.labels) {
    if (!has(b.labels, l)) continue;
    bool batch = has(needed, l);
    (batch ? p.lhs_batch : p.lhs_contract).push_back(a.axis_of(l));
    (batch ? p.rhs_batch : p.rhs_contract).push_back(b.axis_of(l));
  }
  if (p.lhs_contract.empty()) {
    Value y = multiply_terms(a, b, out);
    if (o.preferred) y = lax::convert(y, *p.preferred);
    return {y, std::move(out)};
  }
  return {lax::dot_general(a.x, b.x, std::move(p)), std::move(out)};
}

// ---- the order

struct Sizes {
  std::vector<std::pair<int, double>> sizes;
  double of(int label) const {
    for (auto& [l, n] : sizes)
      if (l == label) return n;
    return 1;
  }
  double product(const Labels& l) const {
    double p = 1;
    for (int x : l) p *= of(x);
    return p;
  }
};

Sizes sizes_of(const Equation& e) {
  Sizes s;
  for (const Term& t : e.terms)
    for (size_t d = 0; d < t.labels.size(); ++d) {
      auto n = double(t.x.shape()[d]);
      auto at = std::find_if(s.sizes.begin(), s.sizes.end(),
                             [&](auto& p) { return p.first == t.labels[d]; });
      if (at == s.sizes.end())
        s.sizes.push_back({t.labels[d], n});
      else
        at->second = std::max(at->second, n);
    }
  return s;
}

Labels joined(const Labels& a, const Labels& b) {
  Labels out = a;
  for (int l : b)
    if (!has(out, l)) out.push_back(l);
  return out;
}

Labels restricted(const Labels& a, const Labels& to) {
  Labels out;
  for (int l : a)
    if (has(to, l)) out.push_back(l);
  return out;
}

// Best order by dynamic programming over subsets (n <= 8).
struct Subset {
  double cost = std::numeric_limits<double>::infinity();
  uint32_t left = 0;
  Labels labels;
};

std::vector<Subset> best_subsets(const Equation& e, const Sizes& sizes) {
  size_t n = e.terms.size();
  uint32_t all = (1u << n) - 1;
  std::vector<Subset> best(all + 1);
  for (size_t i = 0; i < n; ++i) best[1u << i] = {0, 0, e.terms[i].labels};
  for (uint32_t s = 1; s <= all; ++s) {
    if ((s & (s - 1)) == 0) continue;
    Labels needed = e.output;
    for (size_t i = 0; i < n; ++i)
      if (!(s >> i & 1)) needed = joined(needed, e.terms[i].labels);
    for (uint32_t l = (s - 1) & s; l; l = (l - 1) & s) {
      uint32_t r = s ^ l;
      if (l < r) break;  // both halves were seen
      Labels both = joined(best[l].labels, best[r].labels);
      Labels out = restricted(both, needed);
      double cost = best[l].cost + best[r].cost + sizes.product(both) +
                    sizes.product(out);
      if (cost < best[s].cost) best[s] = {cost, l, std::move(out)};
    }
  }
  return best;
}

// Positions in the list of terms that is left; a result goes to the end.
void emit_path(const std::vector<Subset>& best, uint32_t s,
               std::vector<uint32_t>& live, std::vector<Axes>& path) {
  if ((s & (s - 1)) == 0) return;
  uint32_t l = best[s].left, r = s ^ l;
  emit_path(best, l, live, path);
  emit_path(best, r, live, path);
  auto i = std::find(live.begin(), live.end(), l) - live.begin();
  auto j = std::find(live.begin(), live.end(), r) - live.begin();
  path.push_back({std::min(i, j), std::max(i, j)});
  live.erase(live.begin() + std::max(i, j));
  live.erase(live.begin() + std::min(i, j));
  live.push_back(s);
}

std::vector<Axes> greedy_path(const Equation& e, const Sizes& sizes) {
  std::vector<Labels> live;
  for (const Term& t : e.terms) live.push_back(t.labels);
  std::vector<Axes> path;
  while (live.size() > 1) {
    double best = std::numeric_limits<double>::infinity();
    Axes pick;
    Labels result;
    for (size_t i = 0; i < live.size(); ++i)
      for (size_t j = i + 1; j < live.size(); ++j) {
        Labels needed = e.output;
        for (size_t k = 0; k < live.size(); ++k)
          if (k != i && k != j) needed = joined(needed, live[k]);
        Labels both = joined(live[i], live[j]);
        Labels out = restricted(both, needed);
        double cost = sizes.product(both) + sizes.product(out) -
                      sizes.product(live[i]) - sizes.product(live[j]);
        if (cost >= best) continue;
        best = cost;
        pick = {int64_t(i), int64_t(j)};
        result = std::move(out);
      }
    live.erase(live.begin() + pick[1]);
    live.erase(live.begin() + pick[0]);
    live.push_back(std::move(result));
    path.push_back(std::move(pick));
  }
  return path;
}

std::vector<Axes> order_of(const Equation& e) {
  size_t n = e.terms.size();
  if (n == 1) return {};
  if (n == 2) return {{0, 1}};
  Sizes sizes = sizes_of(e);
  if (n > 8) return greedy_path(e, sizes);
  auto best = best_subsets(e, sizes);
  std::vector<uint32_t> live;
  for (size_t i = 0; i < n; ++i) live.push_back(1u << i);
  std::vector<Axes> path;
  emit_path(best, (1u << n) - 1, live, path);
  return path;
}

// An output label of extent 1 here and n elsewhere was dropped on the way;
// "ij->ij" of one operand is left alone.
Value finish(Term t, const Labels& output) {
  if (t.labels != output) t.x = in_order(t.x, t.labels, output);
  return t.x;
}

}  // namespace

std::vector<Axes> einsum_path(std::string_view subscripts,
                              std::span<const Value> operands) {
  return order_of(parse(subscripts, operands));
}

Value einsum(std::string_view subscripts, std::span<const Value> operands,
             const ProductOptions& o) {
  if (operands.empty()) throw_value("[einsum] needs at least one operand");
  Equation e = parse(subscripts, operands);
  for (Term& t : e.terms) take_diagonals(t);
  check_sizes(e);
  for (size_t i = 0; i < e.terms.size(); ++i) {
    Labels needed = e.output;
    for (size_t j = 0; j < e.terms.size(); ++j)
      if (j != i) needed = joined(needed, e.terms[j].labels);
    sum_private(e.terms[i], needed);
  }
  for (const Axes& pair : order_of(e)) {
    auto i = size_t(pair[0]), j = size_t(pair[1]);
    Term a = std::move(e.terms[i]), b = std::move(e.terms[j]);
    e.terms.erase(e.terms.begin() + pair[1]);
    e.terms.erase(e.terms.begin() + pair[0]);
    Labels needed = e.output;
    for (const Term& t : e.terms) needed = joined(needed, t.labels);
    const Labels* order = e.terms.empty() ? &e.output : nullptr;
    e.terms.push_back(
        contract_pair(std::move(a), std::move(b), needed, order, o));
  }
  Value y = finish(std::move(e.terms[0]), e.output);
  return o.preferred ? lax::convert(y, canonical(*o.preferred)) : y;
}

}  // namespace cotan::jnp
