// The generated matrix products, for kernels of the runtime
// (runtime/kernels/products.h). A product that was asked for before is found
// in a table.
#include "runtime/kernels/products.h"

#include <algorithm>
#include <list>
#include <mutex>

#include "backends/cpu/gemm_calls.h"

namespace cotan::cpu {
namespace {

class GeneratedProduct final : public ProductRunner {
 public:
  explicit GeneratedProduct(PlainGemm gemm) : gemm_(std::move(gemm)) {}
  int64_t scratch_bytes() const override { return gemm_.scratch_bytes(); }
  void run(const void* a, const void* b, void* c,
           void* scratch) const override {
    gemm_.run(a, b, c, scratch);
  }

 private:
  PlainGemm gemm_;
};

std::shared_ptr<const ProductRunner> generate(const Product& p) {
  struct Entry {
    Product key;
    std::shared_ptr<const ProductRunner> runner;
  };
  constexpr size_t kKept = 256;
  static std::mutex mutex;
  static auto& entries = *new std::list<Entry>;
  {
    std::lock_guard lock(mutex);
    for (auto at = entries.begin(); at != entries.end(); ++at)
      if (at->key == p) {
        entries.splice(entries.begin(), entries, at);
        return at->runner;
      }
  }
  GemmShape shape;
  shape.m = p.m, shape.n = p.n, shape.k = p.k;
  shape.a_row = p.a_row, shape.a_k = p.a_k;
  shape.b_k = p.b_k, shape.b_col = p.b_col;
  shape.c_row = p.c_row;
  shape.accumulate = p.accumulate;
  GemmTypes types = gemm_types(p.dtype, p.dtype, p.dtype);
  if (!gemm_supports(types) || !gemm_layout_ok(shape, types)) return nullptr;
  auto runner = std::make_shared<const GeneratedProduct>(
      plan_plain_gemm(shape, types, host_target()));
  std::lock_guard lock(mutex);
  if (entries.size() >= kKept) entries.pop_back();
  entries.push_front({p, runner});
  return runner;
}

const bool installed = (set_product_factory(generate), true);

}  // namespace
}  // namespace cotan::cpu
