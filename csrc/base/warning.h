// Warnings for the user: the Python layer installs what shows them.
#pragma once

#include <string>

namespace cotan {

using WarningHook = void (*)(const std::string& text);
void set_warning_hook(WarningHook hook) noexcept;
// May throw, where the user has made warnings errors.
void warn(const std::string& text);

}  // namespace cotan
