#include "base/warning.h"

namespace cotan {

namespace {
WarningHook shown = nullptr;
}  // namespace

void set_warning_hook(WarningHook hook) noexcept { shown = hook; }
void warn(const std::string& text) {
  if (shown) shown(text);
}

}  // namespace cotan
