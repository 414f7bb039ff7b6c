// LAPACK, from a library that is opened when a program first needs it: the one
// that COTAN_LAPACK names, the one the host language knows
// (set_lapack_locator), scipy-openblas32 beside this library, or the system's.
//
// Routines follow Fortran: column-major, arguments by address, and the lengths
// of the character arguments at the end. Start at lapack_call.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace cotan {

// One for each routine that is used; the letter of the dtype and the
// difference between real and complex names (or/un, sy/he) are added.
enum class LapackRoutine : int {
  potrf,
  getrf,
  trsm,
  geqrf,
  geqp3,
  orgqr,
  ormqr,
  gesdd,
  syevd,
  geev,
  gees,
  gehrd,
  sytrd,
  gtsv,
  count,
};

// Gives the path of a library, or null. Called once, on the thread that first
// needs LAPACK.
using LapackLocator = const char* (*)();
void set_lapack_locator(LapackLocator f) noexcept;

// Throws Error(runtime) that says what to install if there is no library.
void* lapack_symbol(LapackRoutine r, int letter);
// How many threads the library may use for one matrix from now on.
void lapack_threads(int n);

template <class T>
constexpr int lapack_letter() {
  if constexpr (std::is_same_v<T, float>)
    return 0;
  else if constexpr (std::is_same_v<T, double>)
    return 1;
  else if constexpr (std::is_same_v<T, std::complex<float>>)
    return 2;
  else
    return 3;
}

template <class T, class... A>
void lapack_call(LapackRoutine r, A... args) {
  auto* f =
      reinterpret_cast<void (*)(A...)>(lapack_symbol(r, lapack_letter<T>()));
  f(args...);
}

}  // namespace cotan
