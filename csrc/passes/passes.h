// Jaxpr to jaxpr passes. simplify_jaxpr runs them all in order; each keeps
// the meaning to the bit. With the environment variable COTAN_CHECK_IR=1 the
// checker runs after every pass.
#pragma once

#include "ir/jaxpr.h"

namespace cotan {

// Replaces equations that stand for a jaxpr (slot `inlined`) by its equations,
// and those that only have a decomposition (slot `expand`) by that.
// `last`: also those that only hold the other passes back (barriers).
JaxprRef inline_calls(const JaxprRef& j, bool last = false);
// Algebraic rewrites and folds that keep every bit; constant operands are
// evaluated.
JaxprRef rewrite(const JaxprRef& j);
// Equations with equal primitive, params and operands become one.
JaxprRef cse(const JaxprRef& j);
JaxprRef drop_dead(const JaxprRef& j);

JaxprRef simplify_jaxpr(const JaxprRef& j);

bool checking_ir() noexcept;

}  // namespace cotan
