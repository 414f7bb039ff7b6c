// Reads /proc and the cgroup files (v2 and v1). Nothing here throws: a file
// that is missing means "no limit".
#include "runtime/host.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace cotan {
namespace {

constexpr uint64_t kUnlimited = ~uint64_t(0);

bool read_text(const std::string& path, std::string* out) noexcept {
  FILE* f = std::fopen(path.c_str(), "re");
  if (!f) return false;
  char buf[4096];
  size_t n = std::fread(buf, 1, sizeof buf, f);
  std::fclose(f);
  out->assign(buf, n);
  return n > 0;
}

// "max" and absurd v1 values read as unlimited.
uint64_t read_limit(const std::string& path) noexcept {
  std::string text;
  if (!read_text(path, &text) || text[0] < '0' || text[0] > '9')
    return kUnlimited;
  uint64_t v = std::strtoull(text.c_str(), nullptr, 10);
  return v >= (uint64_t(1) << 60) ? kUnlimited : v;
}

// The value after `key` in a "key value" listing; `fallback` if absent.
uint64_t field(const std::string& text, const char* key,
               uint64_t fallback) noexcept {
  size_t at = text.find(key);
  if (at == text.npos) return fallback;
  return std::strtoull(text.c_str() + at + std::strlen(key), nullptr, 10);
}

// This process's cgroup path for a v1 controller, or for v2 (controller "").
std::string cgroup_path(const char* controller) noexcept {
  std::string text;
  if (!read_text("/proc/self/cgroup", &text)) return "";
  std::string want = std::string(":") + controller + ":";
  size_t at = text.find(want);
  if (at == text.npos) return "";
  at += want.size();
  std::string path = text.substr(at, text.find('\n', at) - at);
  return path == "/" ? "" : path;
}

struct MemoryGroup {
  uint64_t limit = kUnlimited;
  uint64_t room = kUnlimited;
};

// The tightest limit from this cgroup up to the root. In a container the
// path may name a directory outside the mount; the root then holds the limit.
MemoryGroup memory_group() noexcept {
  struct Layout {
    const char *root, *controller, *limit, *usage, *file_cache;
  };
  static constexpr Layout kLayouts[] = {
      {"/sys/fs/cgroup", "", "/memory.max", "/memory.current",
       "inactive_file "},
      {"/sys/fs/cgroup/memory", "memory", "/memory.limit_in_bytes",
       "/memory.usage_in_bytes", "total_inactive_file "},
  };
  MemoryGroup group;
  for (const Layout& l : kLayouts) {
    std::string path = cgroup_path(l.controller);
    for (;;) {
      std::string dir = std::string(l.root) + path;
      uint64_t limit = read_limit(dir + l.limit);
      if (limit != kUnlimited) {
        uint64_t used = read_limit(dir + l.usage);
        std::string stat;
        uint64_t cache = read_text(dir + "/memory.stat", &stat)
                             ? field(stat, l.file_cache, 0)
                             : 0;
        used = used == kUnlimited ? 0 : used - std::min(used, cache);
        group.limit = std::min(group.limit, limit);
        group.room = std::min(group.room, limit - std::min(limit, used));
      }
      if (path.empty()) break;
      path.resize(path.rfind('/'));
    }
  }
  return group;
}

// CPUs by quota / period, rounded up; 0 means no quota.
int cgroup_cpus() noexcept {
  int best = 0;
  auto take = [&](double quota, double period) {
    if (quota <= 0 || period <= 0) return;
    int n = std::max(1, int((quota + period - 1) / period));
    best = best ? std::min(best, n) : n;
  };
  std::string text, path = cgroup_path("");
  for (;;) {
    double quota = 0, period = 0;
    if (read_text("/sys/fs/cgroup" + path + "/cpu.max", &text) &&
        std::sscanf(text.c_str(), "%lf %lf", &quota, &period) == 2) {
      take(quota, period);
    }
    if (path.empty()) break;
    path.resize(path.rfind('/'));
  }
  uint64_t quota = read_limit("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  uint64_t period = read_limit("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (quota != kUnlimited && period != kUnlimited)
    take(double(quota), double(period));
  return best;
}

}  // namespace

uint64_t memory_limit() noexcept {
  static const uint64_t limit = [] {
    uint64_t total =
        uint64_t(sysconf(_SC_PHYS_PAGES)) * uint64_t(sysconf(_SC_PAGESIZE));
    return std::min(total, memory_group().limit);
  }();
  return limit;
}

uint64_t available_memory() noexcept {
  std::string text;
  uint64_t available = kUnlimited;
  if (read_text("/proc/meminfo", &text))
    available = field(text, "MemAvailable:", kUnlimited / 1024) * 1024;
  return std::min(available, memory_group().room);
}

int cpu_limit() noexcept {
  int cpus = 0;
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cpus = CPU_COUNT(&set);
#endif
  if (cpus <= 0) cpus = int(std::thread::hardware_concurrency());
  int quota = cgroup_cpus();
  if (quota > 0) cpus = std::min(cpus, quota);
  return std::max(cpus, 1);
}

int64_t env_int(const char* name, int64_t fallback) noexcept {
  const char* text = std::getenv(name);
  if (!text || !*text) return fallback;
  char* end = nullptr;
  errno = 0;
  long long v = std::strtoll(text, &end, 10);
  return errno || *end || v < 0 ? fallback : v;
}

int64_t now_ns() noexcept {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

}  // namespace cotan
