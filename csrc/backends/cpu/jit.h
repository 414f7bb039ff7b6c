// From an LLVM module to callable code, in three separate steps so that the
// object in the middle can be stored: compile (IR -> relocatable ELF bytes),
// link (bytes -> executable memory), look up. LLVM is started by the first
// compilation, not by loading the library.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/cpu/target.h"
#include "base/ref.h"

namespace llvm {
class LLVMContext;
class Module;
}  // namespace llvm

namespace cotan::cpu {

// Called between the phases of a compilation; true abandons it with
// Error(interrupted). Null: never.
using InterruptCheck = bool (*)();
void set_interrupt_check(InterruptCheck check) noexcept;
void throw_if_interrupted();

// What one compilation borrows: a context, a target machine and a prepared
// pass pipeline, none of which is thread safe. Contexts are reused and
// renewed now and then, since they never forget a type or a constant.
class CompileSession {
 public:
  explicit CompileSession(const TargetSpec& target = host_target());
  ~CompileSession();
  CompileSession(const CompileSession&) = delete;
  CompileSession& operator=(const CompileSession&) = delete;

  const TargetSpec& target() const { return target_; }
  llvm::LLVMContext& context();
  // An empty module with the target's layout and triple.
  std::unique_ptr<llvm::Module> new_module(std::string_view name);
  // EarlyCSE, InstCombine, code generation. Consumes the module.
  std::vector<char> compile(std::unique_ptr<llvm::Module> module,
                            bool promote = false);

  struct Slot;

 private:
  const TargetSpec& target_;
  std::unique_ptr<Slot> slot_;
};

// Executable memory with one object in it. Functions live as long as it does.
class LoadedCode final : public RefCounted {
 public:
  ~LoadedCode() override;
  // Null if there is no such function.
  void* find(std::string_view symbol) const;
  template <class Fn>
  Fn* find_as(std::string_view symbol) const {
    return reinterpret_cast<Fn*>(find(symbol));
  }
  size_t code_bytes() const { return code_bytes_; }

 private:
  friend Ref<LoadedCode> link_object(
      std::span<const char>, const std::function<void*(std::string_view)>&);
  struct Symbol {
    std::string name;
    void* address;
  };
  std::vector<Symbol> symbols_;
  void* memory_ = nullptr;
  size_t bytes_ = 0;
  size_t code_bytes_ = 0;
};

// Resolves undefined symbols with `resolve` first, then with the few libm and
// memory functions that generated code may call. Throws Error(internal) when
// a symbol or relocation is unknown.
using SymbolResolver = std::function<void*(std::string_view)>;
Ref<LoadedCode> link_object(std::span<const char> object,
                            const SymbolResolver& resolve = {});

}  // namespace cotan::cpu
