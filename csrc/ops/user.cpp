#include "ops/user.h"

#include <cstring>

namespace cotan {

namespace {

const OpaqueRef& values(const Params& p) { return p.as<UserParams>().values; }
const UserRules& rules(const Params& p) {
  return static_cast<const UserRules&>(*p.as<UserParams>().rules);
}

std::vector<std::string> print_values(const Params& p) {
  std::string text = values(p)->describe();
  if (text.empty()) return {};
  return {std::move(text)};
}

}  // namespace

const Primitive& define_primitive(const std::string& name) {
  char* kept = new char[name.size() + 1];
  std::memcpy(kept, name.c_str(), name.size() + 1);
  return *new Primitive{
      .name = kept,
      .type =
          [](const TypeArgs& a) {
            return rules(a.params).type(a.in, values(a.params));
          },
      .jvp =
          [](const JvpArgs& a) {
            return rules(a.params).jvp(a.x, a.t, values(a.params));
          },
      .transpose =
          [](const TransposeArgs& a) {
            return rules(a.params).transpose(a, values(a.params));
          },
      .batch =
          [](const BatchArgs& a) {
            return rules(a.params).batch(a, values(a.params));
          },
      .uses_axis =
          [](const Params& p, const AxisName& name) {
            return rules(p).uses_axis(values(p), name);
          },
      .expand =
          [](const Params& p, std::span<const Value> x) {
            return rules(p).expand(x, values(p));
          },
      .impl =
          [](const Params& p, std::span<const Value> x) {
            return rules(p).impl(x, values(p));
          },
      .print = print_values,
  };
}

Values bind_user(const Primitive& p, std::span<const Value> x,
                 const UserParams& params) {
  return bind_all(p, x, params);
}

const UserParams* user_params(const Params& p) {
  return p.get_if<UserParams>();
}

}  // namespace cotan
