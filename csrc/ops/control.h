// Control flow: cond, while and scan hold jaxprs as parameters. Here are the
// parameters, the functions that bind them, and what their rules share; each
// primitive's rules are in its own file.
#pragma once

#include "ops/rules.h"

namespace cotan {

// Operands: constants, carries, then streams with a leading axis of `length`.
// The body takes constants, carries and a row of each stream; it gives the
// carries and a row of each output stream.
struct ScanParams {
  JaxprRef jaxpr;
  int64_t length = 0;
  int64_t num_consts = 0, num_carry = 0;
  bool reverse = false;
  int64_t unroll = 1;
  static constexpr auto fields() {
    return std::tuple{field("jaxpr", &ScanParams::jaxpr),
                      field("length", &ScanParams::length),
                      field("num_consts", &ScanParams::num_consts),
                      field("num_carry", &ScanParams::num_carry),
                      field("reverse", &ScanParams::reverse),
                      field("unroll", &ScanParams::unroll)};
  }
};

// Operands: constants of cond, constants of body, carries.
struct WhileParams {
  JaxprRef cond, body;
  int64_t cond_consts = 0, body_consts = 0;
  static constexpr auto fields() {
    return std::tuple{field("body_jaxpr", &WhileParams::body),
                      field("body_nconsts", &WhileParams::body_consts),
                      field("cond_jaxpr", &WhileParams::cond),
                      field("cond_nconsts", &WhileParams::cond_consts)};
  }
};

// Operands: an i32 index within range, then what every branch takes.
struct CondParams {
  std::vector<JaxprRef> branches;
  static constexpr auto fields() {
    return std::tuple{field("branches", &CondParams::branches)};
  }
};

namespace lax {

// The graphs' jaxprs take their constants first. Carries that the body hands
// on unchanged become constants, streams that it hands on are not copied.
Values scan(const TracedGraph& body, std::span<const Value> init,
            std::span<const Value> xs, int64_t length, bool reverse = false,
            int64_t unroll = 1);
Values while_loop(const TracedGraph& cond, const TracedGraph& body,
                  std::span<const Value> init);
// index: i32 in range.
Values cond(const Value& index, std::span<const TracedGraph> branches,
            std::span<const Value> operands);

}  // namespace lax

namespace ops {

// What an operand or result of a scan is to its body.
enum class Role : uint8_t { constant, carry, stream };
struct Operand {
  Role role;
  Value value;
};
// Binds a scan whose body has its inputs and outputs in any order; the results
// are in the order of the body's.
Values bind_scan(const JaxprRef& body, std::span<const Operand> in,
                 std::span<const Role> out, const ScanParams& like);

// Binds a cond of jaxprs with constants of their own.
Values bind_cond(const Value& index, std::span<const TracedGraph> branches,
                 std::span<const Value> operands);

std::vector<bool> nonzero_of(std::span<const Value> tangents);
// The inputs 0, 1, ... of a jaxpr as they are.
std::vector<NewInput> same_inputs(size_t n);
std::vector<size_t> first_n(size_t n);
// Throws if the operands do not have the types of the jaxpr's inputs.
void check_operands(const TypeArgs& a, const Jaxpr& j, size_t skip,
                    std::span<const Aval> in);
Value select_rows(const Value& mask, const Value& on_true,
                  const Value& on_false);

}  // namespace ops
}  // namespace cotan
