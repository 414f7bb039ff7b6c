// An exception on its way through compiled code, which has none: kept here
// while kFailed travels, thrown again by check_status.
#pragma once

#include <exception>

namespace cotan {

// Of this thread; null takes it away.
void keep_exception(std::exception_ptr e) noexcept;

}  // namespace cotan
