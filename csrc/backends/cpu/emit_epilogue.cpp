#include "backends/cpu/emit_epilogue.h"

#include <utility>

#include "base/error.h"

namespace cotan::cpu {

EpilogueEmitter::EpilogueEmitter(Builder& b, const TargetSpec& target,
                                 const Kernel& k, const KernelArgs& args)
    : KernelEmitter(b, target, k, args) {
  COTAN_CHECK(k.rank() >= 2);
  for (const Store& s : k.stores) collect(s.node, 0);
}

void EpilogueEmitter::place(llvm::Value* batch, llvm::Value* row) {
  int batches = k_.rank() - 2;
  for (int a = batches; a-- > 1;) {
    coord_[size_t(a)] = b_.CreateURem(batch, extent(a));
    batch = b_.CreateUDiv(batch, extent(a));
  }
  if (batches > 0) coord_[0] = batch;
  coord_[size_t(batches)] = row;
}

void EpilogueEmitter::store(Scalar product, llvm::Value* batch,
                            llvm::Value* row, llvm::Value* col,
                            llvm::Value* mask) {
  store_others(-1, product, batch, row, col, mask);
}

Scalar EpilogueEmitter::store_others(int kept, Scalar product,
                                     llvm::Value* batch, llvm::Value* row,
                                     llvm::Value* col, llvm::Value* mask) {
  place(batch, row);
  begin_row();
  Point p = point(col, mask, 0);
  for (size_t i = 0; i < k_.nodes.size(); ++i)
    if (k_.nodes[i].kind == NodeKind::product)
      p.memo[i] = e_.round_half(product, k_.nodes[i].dtype);
  for (size_t i = 0; i < k_.stores.size(); ++i) {
    const Store& s = k_.stores[i];
    prepare(s.node, 0);
    if (store_has_lane(s)) prepare_store(s, int(i));
  }
  std::vector<Scalar> values;
  for (const Store& s : k_.stores)
    values.push_back(has_lane(s.node) ? eval(s.node, p) : row_value(s.node));
  for (size_t i = 0; i < k_.stores.size(); ++i) {
    if (int(i) == kept) continue;
    if (store_has_lane(k_.stores[i]))
      store_lanes(k_.stores[i], int(i), values[i], p);
    else
      store_row(k_.stores[i], int(i));
  }
  return kept >= 0 ? values[size_t(kept)] : Scalar{};
}

KernelRef swap_product_axes(const Kernel& epilogue) {
  auto k = make_ref<Kernel>(epilogue);
  auto swap_last = [](auto& v) {
    if (v.size() >= 2) std::swap(v[v.size() - 1], v[v.size() - 2]);
  };
  auto swap_map = [&](Map& m) {
    swap_last(m.at.stride);
    for (Guard& g : m.guards) swap_last(g.expr.stride);
  };
  swap_last(k->axes);
  for (Node& n : k->nodes) {
    swap_map(n.map);
    for (Guard& g : n.guards) swap_last(g.expr.stride);
    for (Affine& f : n.index) swap_last(f.stride);
  }
  for (Store& s : k->stores) swap_map(s.map);
  finish_kernel(*k);
  return k;
}

}  // namespace cotan::cpu
