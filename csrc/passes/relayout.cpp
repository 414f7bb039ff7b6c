// The layout of what a loop multiplies with. `w @ h` for a matrix w with dense
// rows is one dot product per row; with dense columns every step of the sum is
// one vector operation, without sums across lanes. Transposing w costs about
// one product, so that it pays from the second iteration on.
#include "passes/relayout.h"

#include <algorithm>

#include "passes/lowering.h"
#include "trace/arith.h"
#include "trace/trace.h"

namespace cotan {
namespace {

// Larger products pack, or stream the matrix in either layout.
constexpr int64_t kMaxWork = 1 << 14;  // multiplications

class Relayout {
 public:
  Relayout(Hoisted& h, const JaxprRef& body, const std::vector<bool>& invariant)
      : h_(h), from_(h.prologue ? *h.body : *body) {
    fixed_.resize(from_.avals.size());
    for (const Aval& a : from_.avals)
      dense_.push_back(int64_t(a.shape.size()) - 1);
    for (size_t i = 0; i < from_.in.size(); ++i)
      fixed_[size_t(from_.in[i])] = i >= invariant.size() || invariant[i];
    for (size_t i = 0; i < invariant.size(); ++i)
      if (invariant[i]) constants_.push_back(from_.in[i]);
  }

  void run() {
    for (const Eqn& e : from_.eqns)
      if (e.prim->view && e.in.size() == 1 && e.in[0].is_var()) view(e);
    for (size_t i = 0; i < from_.eqns.size(); ++i) {
      const Eqn& e = from_.eqns[i];
      Eqn copy = e;
      if (e.prim->dot && gemm_takes(from_.aval(e.in[0]).dtype)) {
        Avals in{from_.aval(e.in[0]), from_.aval(e.in[1])};
        Avals out{from_.avals[size_t(e.out[0])]};
        Contraction c = e.prim->dot({e.params, in, out});
        for (size_t side : {0, 1})
          if (int64_t d = badly_laid(e, c, side); d >= 0)
            copy.in[side] = transposed(e.in[side].as_var(), d, i);
      }
      if (body_) body_->eqns.push_back(std::move(copy));
    }
    if (!body_) return;
    drop_unused();
    h_.prologue = prologue_;
    h_.body = body_;
  }

 private:
  void view(const Eqn& e) {
    auto from = size_t(e.in[0].id), to = size_t(e.out[0]);
    fixed_[to] = fixed_[from];
    if (fixed_[to]) views_.push_back(e);
    Avals in{from_.avals[from]};
    const Aval& out = from_.avals[to];
    View v = e.prim->view({e.params, in, out});
    int64_t dense = dense_[from];
    dense_[to] = -1;
    if (v.reshape || v.guarded || dense < 0) return;
    for (size_t d = 0; d < v.dims.size(); ++d) {
      const ViewDim& x = v.dims[d];
      bool moved = x.out_dim >= 0 && x.step == 1 && x.offset == 0 &&
                   x.dilation == 1 && x.start < 0 &&
                   out.shape[size_t(x.out_dim)] == in[0].shape[d];
      if (!moved) return;
    }
    dense_[to] = v.dims[size_t(dense)].out_dim;
  }

  // The dimension of operand `side` that should come first, or -1.
  int64_t badly_laid(const Eqn& e, const Contraction& c, size_t side) const {
    Atom a = e.in[side];
    if (!a.is_var() || !fixed_[size_t(a.id)] || e.in[1 - side] == a) return -1;
    const Axes& contract = side ? c.rhs_contract : c.lhs_contract;
    const Shape& shape = from_.avals[size_t(a.id)].shape;
    if (!c.lhs_batch.empty() || contract.size() != 1 ||
        contract[0] != dense_[size_t(a.id)])
      return -1;
    int64_t k = shape[size_t(contract[0])];
    if (k <= 1 || num_elements(shape) <= k) return -1;
    int64_t other = num_elements(from_.aval(e.in[1 - side]).shape) / k;
    if (num_elements(shape) * other > kMaxWork) return -1;
    // As the left operand it is only read along lanes if the product is a
    // column.
    return side == 1 || other == 1 ? contract[0] : -1;
  }

  void start(size_t eqns) {
    if (body_) return;
    body_ = make_ref<Jaxpr>(from_);
    body_->eqns.resize(eqns);
    if (h_.prologue) {
      prologue_ = make_ref<Jaxpr>(*h_.prologue);
      return;
    }
    prologue_ = make_ref<Jaxpr>(from_);
    prologue_->in = constants_;
    prologue_->out.clear();
    prologue_->eqns = views_;
    prologue_->effects = kPure;
  }

  // The same value for the body: a view of what the prologue transposes.
  Atom transposed(Var v, int64_t dim, size_t eqns) {
    start(eqns);
    for (auto [of, made] : made_)
      if (of == v) return Atom::var(made);
    const Aval aval = from_.avals[size_t(v)];
    Shape shape{aval.shape[size_t(dim)]};
    for (size_t d = 0; d < aval.shape.size(); ++d)
      if (int64_t(d) != dim) shape.push_back(aval.shape[d]);
    Var moved = new_var({aval.dtype, false, shape}), back = moved;
    if (dim == 0) {  // a view: what leaves the prologue is laid out anew
      prologue_->out.push_back(Atom::var(v));
    } else {
      back = new_var(aval);
      prologue_->eqns.push_back(move(v, moved, dim, 0));
      prologue_->out.push_back(Atom::var(moved));
      body_->eqns.push_back(move(moved, back, 0, dim));
    }
    body_->in.push_back(moved);
    made_.emplace_back(v, back);
    return Atom::var(back);
  }
  // What the prologue made in a layout that nobody reads any more.
  void drop_unused() {
    std::vector<bool> used(body_->avals.size());
    auto use = [&](Atom a) {
      if (a.is_var()) used[size_t(a.id)] = true;
    };
    for (const Eqn& e : body_->eqns) std::ranges::for_each(e.in, use);
    std::ranges::for_each(body_->out, use);
    size_t own = body_->in.size() - prologue_->out.size(), kept = 0;
    for (size_t i = 0; i < prologue_->out.size(); ++i) {
      if (!used[size_t(body_->in[own + i])]) continue;
      body_->in[own + kept] = body_->in[own + i];
      prologue_->out[kept++] = prologue_->out[i];
    }
    body_->in.resize(own + kept);
    prologue_->out.resize(kept);
  }
  // A variable of both.
  Var new_var(const Aval& aval) {
    while (prologue_->avals.size() < body_->avals.size())
      prologue_->new_var(body_->avals[prologue_->avals.size()]);
    Var v = body_->new_var(aval);
    prologue_->new_var(aval);
    return v;
  }
  Eqn move(Var from, Var to, int64_t source, int64_t target) {
    auto graph = make_ref<GraphTrace>();
    Value x = graph->new_arg(body_->avals[size_t(from)]);
    TracedGraph traced;
    {
      SetTrace scope(*graph);
      const Value out[] = {move_axis(x, source, target)};
      traced = graph->finish(out);
    }
    COTAN_CHECK(traced.jaxpr->eqns.size() == 1);
    Eqn e = traced.jaxpr->eqns[0];
    e.in = {Atom::var(from)};
    e.out = {to};
    return e;
  }

  Hoisted& h_;
  const Jaxpr from_;
  std::vector<Var> constants_;
  std::vector<bool> fixed_;     // per variable: does not change in the loop
  std::vector<int64_t> dense_;  // its dimension of stride 1, or -1
  std::vector<Eqn> views_;      // of fixed variables
  std::vector<std::pair<Var, Var>> made_;
  Ref<Jaxpr> prologue_, body_;
};

}  // namespace

void relayout_weights(Hoisted& h, const JaxprRef& body,
                      const std::vector<bool>& invariant) {
  Relayout(h, body, invariant).run();
}

}  // namespace cotan
