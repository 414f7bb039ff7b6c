// Activations and normalisations of neural networks, with the gradient
// conventions of jax.nn. Operands are promoted as NumPy's functions do;
// composites without a rule of their own take integers to the default float.
#pragma once

#include "jnp/promote.h"

namespace cotan::jnp {

Value relu(const Value& x);     // derivative 0 at 0
Value relu6(const Value& x);    // derivative 0 at 0 and 6
Value sigmoid(const Value& x);  // 1 / (1 + exp(-x))
Value log_sigmoid(const Value& x);
Value silu(const Value& x);
Value mish(const Value& x);
Value softplus(const Value& x);  // derivative sigmoid(x)
Value soft_sign(const Value& x);
Value sparse_plus(const Value& x);
Value sparse_sigmoid(const Value& x);
Value hard_sigmoid(const Value& x);
Value hard_silu(const Value& x);
Value hard_tanh(const Value& x);
Value selu(const Value& x);
Value gelu(const Value& x);        // by tanh
Value gelu_exact(const Value& x);  // by erfc
Value log1mexp(const Value& x);    // log(1 - exp(-x))

Value elu(const Value& x, const Value& alpha);
Value celu(const Value& x, const Value& alpha);
Value leaky_relu(const Value& x, const Value& negative_slope);
Value squareplus(const Value& x, const Value& b);

// Over `axes`; where `where` (bool, may be null) is false an element takes no
// part: the result is 0 there (log_softmax: -inf).
Value softmax(const Value& x, const Axes& axes, const Value& where = nullptr);
Value log_softmax(const Value& x, const Axes& axes,
                  const Value& where = nullptr);

// log(sum(b * exp(x))) over `axes`; b and where may be null. With `sign`, that
// of the sum is written there and `result` belongs to its absolute value;
// without, a negative sum gives nan.
Value logsumexp(const Value& x, const Axes& axes, bool keepdims = false,
                const Value& b = nullptr, const Value& where = nullptr,
                Value* sign = nullptr);

}  // namespace cotan::jnp
