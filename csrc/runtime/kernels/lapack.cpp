#include "runtime/kernels/lapack.h"

#include <dlfcn.h>

#include <atomic>
#include <cctype>
#include <cstdlib>
#include <mutex>
#include <string>

#include "base/error.h"

namespace cotan {
namespace {

constexpr int kRoutines = int(LapackRoutine::count);
constexpr const char* kReal[kRoutines] = {
    "potrf", "getrf", "trsm", "geqrf", "geqp3", "orgqr", "ormqr",
    "gesdd", "syevd", "geev", "gees",  "gehrd", "sytrd", "gtsv",
};
constexpr const char* kComplex[kRoutines] = {
    "potrf", "getrf", "trsm", "geqrf", "geqp3", "ungqr", "unmqr",
    "gesdd", "heevd", "geev", "gees",  "gehrd", "hetrd", "gtsv",
};

std::atomic<LapackLocator> locator{nullptr};

struct Library {
  void* handle = nullptr;
  void* routines[4][kRoutines] = {};
  void (*set_threads)(int) = nullptr;
  std::string tried;

  void* find(const std::string& name) const {
    for (const char* prefix : {"scipy_", ""})
      if (void* p = dlsym(handle, (prefix + name + "_").c_str())) return p;
    return nullptr;
  }
  bool open(const std::string& path) {
    if (path.empty()) return false;
    tried += "\n  " + path;
    handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
      const char* why = dlerror();
      tried += cat(": ", why ? why : "unknown error");
      return false;
    }
    for (int letter = 0; letter < 4; ++letter)
      for (int r = 0; r < kRoutines; ++r) {
        std::string name(1, "sdcz"[letter]);
        name += (letter < 2 ? kReal : kComplex)[r];
        routines[letter][r] = find(name);
        if (routines[letter][r]) continue;
        tried += ": has no " + name + "_";
        dlclose(handle);
        handle = nullptr;
        return false;
      }
    for (const char* name :
         {"scipy_openblas_set_num_threads", "openblas_set_num_threads"})
      if (void* p = dlsym(handle, name)) {
        set_threads = reinterpret_cast<void (*)(int)>(p);
        break;
      }
    return true;
  }
};

// .../site-packages/cotan/lib/libcotan.so -> .../site-packages/
std::string beside_us() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void*>(&set_lapack_locator), &info)) return {};
  std::string path = info.dli_fname;
  for (int up = 0; up < 3; ++up) {
    size_t slash = path.rfind('/');
    if (slash == std::string::npos) return {};
    path.resize(slash);
  }
  return path + "/scipy_openblas32/lib/libscipy_openblas.so";
}

const Library& library() {
  static const Library* lib = [] {
    auto* l = new Library;  // never closed: its threads outlive any owner
    const char* named = std::getenv("COTAN_LAPACK");
    if (named && *named) {
      l->open(named);
      return l;
    }
    LapackLocator find = locator.load();
    const char* path = find ? find() : nullptr;
    if (path && l->open(path)) return l;
    for (const std::string& p :
         {beside_us(), std::string("libscipy_openblas.so"),
          std::string("libopenblas.so.0"), std::string("liblapack.so.3")})
      if (l->open(p)) return l;
    return l;
  }();
  if (!lib->handle)
    throw_runtime(
        "[linalg] no LAPACK library was found; install the package "
        "scipy-openblas32 or name a library in COTAN_LAPACK. Tried:",
        lib->tried);
  return *lib;
}

}  // namespace

void set_lapack_locator(LapackLocator f) noexcept { locator.store(f); }

void* lapack_symbol(LapackRoutine r, int letter) {
  return library().routines[letter][int(r)];
}

void lapack_threads(int n) {
  static std::atomic<int> now{0};
  const Library& l = library();
  if (l.set_threads && now.exchange(n) != n) l.set_threads(n);
}

}  // namespace cotan
