// cotan_tests [--list | NAME...]: runs all tests, or those named.
#include <cstdio>
#include <exception>
#include <string_view>

#include "testing.h"

namespace cotan::testing {

std::vector<Test>& tests() {
  static std::vector<Test> list;
  return list;
}

static bool run(const Test& test) {
  try {
    test.body();
    return true;
  } catch (const Failure& failure) {
    std::printf("FAIL %s\n  %s\n", test.name, failure.what.c_str());
  } catch (const std::exception& error) {
    std::printf("FAIL %s\n  threw: %s\n", test.name, error.what());
  }
  return false;
}

static int main(int argc, char** argv) {
  int ran = 0, failed = 0;
  for (const Test& test : tests()) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; ++i) {
      if (std::string_view(argv[i]) == "--list") std::puts(test.name);
      wanted |= std::string_view(argv[i]) == test.name;
    }
    if (!wanted) continue;
    ++ran;
    failed += !run(test);
  }
  std::printf("%d run, %d failed\n", ran, failed);
  return failed != 0;
}

}  // namespace cotan::testing

int main(int argc, char** argv) { return cotan::testing::main(argc, argv); }
