// A small ELF loader for the objects that jit.cpp makes: x86-64 and aarch64,
// position-independent code, no thread-local data, no unwinding. It needs no
// LLVM, costs microseconds, and keeps each object in one mapping that is
// writable while it is relocated and executable afterwards.
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstring>

#include "backends/cpu/jit.h"
#include "base/error.h"
#include "ir/dtype.h"

namespace cotan::cpu {
namespace {

[[noreturn]] void bad_object(std::string_view what) {
  throw_error(ErrorKind::internal, cat("[link] ", what));
}

// What the code generator may call behind our back.
uint16_t truncate_to_half(float x) { return to_f16(x).bits; }
float extend_from_half(uint16_t bits) { return to_float(f16_t{bits}); }

struct Builtin {
  const char* name;
  void* address;
};
template <class R, class... A>
void* address_of(R (*f)(A...)) {
  return reinterpret_cast<void*>(f);
}
void* builtin(std::string_view name) {
  static const Builtin table[] = {
      {"fmodf", address_of<float, float, float>(&::fmodf)},
      {"fmod", address_of<double, double, double>(&::fmod)},
      {"fmaf", address_of<float, float, float, float>(&::fmaf)},
      {"fma", address_of<double, double, double, double>(&::fma)},
      {"truncf", address_of<float, float>(&::truncf)},
      {"trunc", address_of<double, double>(&::trunc)},
      {"floorf", address_of<float, float>(&::floorf)},
      {"floor", address_of<double, double>(&::floor)},
      {"ceilf", address_of<float, float>(&::ceilf)},
      {"ceil", address_of<double, double>(&::ceil)},
      {"roundevenf", address_of<float, float>(&::rintf)},
      {"roundeven", address_of<double, double>(&::rint)},
      {"__truncsfhf2", address_of(&truncate_to_half)},
      {"__extendhfsf2", address_of(&extend_from_half)},
      {"memcpy", address_of(&::memcpy)},
      {"memmove", address_of(&::memmove)},
      {"memset", address_of(&::memset)},
  };
  for (const Builtin& b : table)
    if (name == b.name) return b.address;
  return nullptr;
}

uint64_t align_up(uint64_t n, uint64_t a) { return (n + a - 1) / a * a; }

// An indirect jump with its target, and a GOT slot, for one outside symbol.
struct External {
  std::string_view name;
  uint64_t address;
  uint64_t offset;  // of the 32 bytes: slot (8), then the stub
};
constexpr uint64_t kExternalBytes = 32;

class Linker {
 public:
  Linker(std::span<const char> object, const SymbolResolver& resolve)
      : object_(object), resolve_(resolve) {
    if (object.size() < sizeof(Elf64_Ehdr)) bad_object("truncated object");
    header_ = at<Elf64_Ehdr>(0);
    if (std::memcmp(header_->e_ident, ELFMAG, SELFMAG) != 0 ||
        header_->e_ident[EI_CLASS] != ELFCLASS64 || header_->e_type != ET_REL)
      bad_object("not a relocatable ELF object");
    sections_ = {at<Elf64_Shdr>(header_->e_shoff, header_->e_shnum),
                 header_->e_shnum};
  }

  void layout() {
    section_offset_.assign(sections_.size(), UINT64_MAX);
    auto place = [&](bool code) {
      for (size_t i = 0; i < sections_.size(); ++i) {
        const Elf64_Shdr& s = sections_[i];
        if (!(s.sh_flags & SHF_ALLOC) || s.sh_type == SHT_X86_64_UNWIND)
          continue;
        if (bool(s.sh_flags & SHF_EXECINSTR) != code) continue;
        if (s.sh_flags & (SHF_WRITE | SHF_TLS)) bad_object("writable section");
        size_ = align_up(size_, std::max<uint64_t>(s.sh_addralign, 1));
        section_offset_[i] = size_;
        size_ += s.sh_size;
        if (code) code_bytes_ += s.sh_size;
      }
    };
    place(true);
    place(false);
    find_symbols();
    size_ = align_up(size_, 16);
    for (External& e : externals_) {
      e.offset = size_;
      size_ += kExternalBytes;
    }
  }

  void load(char* memory) {
    memory_ = memory;
    for (size_t i = 0; i < sections_.size(); ++i) {
      const Elf64_Shdr& s = sections_[i];
      if (section_offset_[i] == UINT64_MAX || s.sh_type == SHT_NOBITS) continue;
      if (s.sh_size)
        std::memcpy(memory + section_offset_[i],
                    at<char>(s.sh_offset, s.sh_size), s.sh_size);
    }
    for (const External& e : externals_) write_external(e);
    for (const Elf64_Shdr& s : sections_) {
      if (s.sh_type != SHT_RELA || section_offset_[s.sh_info] == UINT64_MAX)
        continue;
      uint64_t n = s.sh_size / sizeof(Elf64_Rela);
      const Elf64_Rela* relocations = at<Elf64_Rela>(s.sh_offset, n);
      for (uint64_t k = 0; k < n; ++k)
        relocate(section_offset_[s.sh_info], relocations[k]);
    }
  }

  uint64_t size() const { return size_; }
  uint64_t code_bytes() const { return code_bytes_; }
  template <class F>
  void each_function(F f) const {
    for (uint64_t i = 0; i < num_symbols_; ++i) {
      const Elf64_Sym& s = symbols_[i];
      if (ELF64_ST_TYPE(s.st_info) == STT_FUNC && s.st_shndx != SHN_UNDEF &&
          ELF64_ST_BIND(s.st_info) == STB_GLOBAL)
        f(name_of(s), memory_ + section_offset_[s.st_shndx] + s.st_value);
    }
  }

 private:
  template <class T>
  const T* at(uint64_t offset, uint64_t count = 1) const {
    if (offset > object_.size() ||
        count > (object_.size() - offset) / sizeof(T))
      bad_object("truncated object");
    return reinterpret_cast<const T*>(object_.data() + offset);
  }
  std::string_view name_of(const Elf64_Sym& s) const {
    if (s.st_name >= names_.size()) bad_object("bad symbol name");
    return names_.data() + s.st_name;
  }

  void find_symbols() {
    for (const Elf64_Shdr& s : sections_) {
      if (s.sh_type != SHT_SYMTAB) continue;
      num_symbols_ = s.sh_size / sizeof(Elf64_Sym);
      symbols_ = at<Elf64_Sym>(s.sh_offset, num_symbols_);
      const Elf64_Shdr& strings = sections_[s.sh_link];
      names_ = {at<char>(strings.sh_offset, strings.sh_size), strings.sh_size};
    }
    external_of_.assign(num_symbols_, -1);
    for (uint64_t i = 1; i < num_symbols_; ++i) {
      if (symbols_[i].st_shndx != SHN_UNDEF) continue;
      std::string_view name = name_of(symbols_[i]);
      void* p = resolve_ ? resolve_(name) : nullptr;
      if (!p) p = builtin(name);
      if (!p) bad_object(cat("unknown symbol ", name));
      external_of_[i] = int(externals_.size());
      externals_.push_back({name, reinterpret_cast<uint64_t>(p), 0});
    }
  }

  void write_external(const External& e) {
    char* slot = memory_ + e.offset;
    std::memcpy(slot, &e.address, 8);
#if defined(__x86_64__)
    // jmp *slot(%rip)
    const unsigned char stub[] = {0xff, 0x25, 0xf2, 0xff, 0xff, 0xff};
    std::memcpy(slot + 8, stub, sizeof stub);
#elif defined(__aarch64__)
    // ldr x16, slot; br x16
    const uint32_t stub[] = {0x58ffffd0, 0xd61f0200};
    std::memcpy(slot + 8, stub, sizeof stub);
#endif
  }

  uint64_t symbol_address(uint64_t index, uint64_t* stub, uint64_t* slot) {
    const Elf64_Sym& s = symbols_[index];
    if (external_of_[index] >= 0) {
      const External& e = externals_[size_t(external_of_[index])];
      *slot = reinterpret_cast<uint64_t>(memory_) + e.offset;
      *stub = *slot + 8;
      return e.address;
    }
    if (s.st_shndx >= sections_.size() ||
        section_offset_[s.st_shndx] == UINT64_MAX)
      bad_object("symbol in a section that is not loaded");
    uint64_t a = reinterpret_cast<uint64_t>(memory_) +
                 section_offset_[s.st_shndx] + s.st_value;
    *stub = a;
    *slot = 0;
    return a;
  }

  void relocate(uint64_t section, const Elf64_Rela& r) {
    char* where = memory_ + section + r.r_offset;
    uint64_t p = reinterpret_cast<uint64_t>(where);
    uint64_t stub = 0, slot = 0;
    uint64_t s = symbol_address(ELF64_R_SYM(r.r_info), &stub, &slot);
    uint64_t a = uint64_t(r.r_addend);
    auto put32 = [&](uint64_t v) {
      if (int64_t(v) != int32_t(v)) bad_object("relocation out of range");
      uint32_t w = uint32_t(v);
      std::memcpy(where, &w, 4);
    };
    auto put64 = [&](uint64_t v) { std::memcpy(where, &v, 8); };
    uint32_t type = ELF64_R_TYPE(r.r_info);
#if defined(__x86_64__)
    switch (type) {
      case R_X86_64_64:
        return put64(s + a);
      case R_X86_64_PC64:
        return put64(s + a - p);
      case R_X86_64_PC32:
      case R_X86_64_PLT32:
        return put32(stub + a - p);
      case R_X86_64_GOTPCREL:
      case R_X86_64_GOTPCRELX:
      case R_X86_64_REX_GOTPCRELX:
        if (!slot) bad_object("GOT entry of a local symbol");
        return put32(slot + a - p);
      default:
        break;
    }
#elif defined(__aarch64__)
    uint32_t insn;
    std::memcpy(&insn, where, 4);
    auto put = [&](uint32_t bits) {
      insn |= bits;
      std::memcpy(where, &insn, 4);
    };
    auto page = [](uint64_t x) { return x & ~uint64_t(0xfff); };
    auto adr = [&](uint64_t target) {
      uint64_t d = (page(target) - page(p)) >> 12;
      put(uint32_t((d & 3) << 29 | ((d >> 2) & 0x7ffff) << 5));
    };
    auto low12 = [&](uint64_t target, int shift) {
      put(uint32_t((target & 0xfff) >> shift << 10));
    };
    switch (type) {
      case R_AARCH64_ABS64:
        return put64(s + a);
      case R_AARCH64_PREL32:
        return put32(s + a - p);
      case R_AARCH64_CALL26:
      case R_AARCH64_JUMP26:
        return put(uint32_t((stub + a - p) >> 2 & 0x3ffffff));
      case R_AARCH64_ADR_PREL_PG_HI21:
        return adr(s + a);
      case R_AARCH64_ADD_ABS_LO12_NC:
      case R_AARCH64_LDST8_ABS_LO12_NC:
        return low12(s + a, 0);
      case R_AARCH64_LDST16_ABS_LO12_NC:
        return low12(s + a, 1);
      case R_AARCH64_LDST32_ABS_LO12_NC:
        return low12(s + a, 2);
      case R_AARCH64_LDST64_ABS_LO12_NC:
        return low12(s + a, 3);
      case R_AARCH64_LDST128_ABS_LO12_NC:
        return low12(s + a, 4);
      case R_AARCH64_ADR_GOT_PAGE:
        return adr(slot + a);
      case R_AARCH64_LD64_GOT_LO12_NC:
        return low12(slot + a, 3);
      default:
        break;
    }
#endif
    bad_object(cat("relocation type ", type, " is not supported"));
  }

  std::span<const char> object_;
  const SymbolResolver& resolve_;
  const Elf64_Ehdr* header_ = nullptr;
  std::span<const Elf64_Shdr> sections_;
  std::vector<uint64_t> section_offset_;
  const Elf64_Sym* symbols_ = nullptr;
  uint64_t num_symbols_ = 0;
  std::string_view names_;
  std::vector<External> externals_;
  std::vector<int> external_of_;  // per symbol
  uint64_t size_ = 0, code_bytes_ = 0;
  char* memory_ = nullptr;
};

}  // namespace

LoadedCode::~LoadedCode() {
  if (memory_) munmap(memory_, bytes_);
}

void* LoadedCode::find(std::string_view symbol) const {
  for (const Symbol& s : symbols_)
    if (s.name == symbol) return s.address;
  return nullptr;
}

Ref<LoadedCode> link_object(std::span<const char> object,
                            const SymbolResolver& resolve) {
  Linker linker(object, resolve);
  linker.layout();
  auto code = make_ref<LoadedCode>();
  code->bytes_ = align_up(std::max<uint64_t>(linker.size(), 1),
                          uint64_t(sysconf(_SC_PAGESIZE)));
  code->code_bytes_ = linker.code_bytes();
  void* memory = mmap(nullptr, code->bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    throw_error(ErrorKind::memory, "[link] no memory for generated code");
  code->memory_ = memory;
  linker.load(static_cast<char*>(memory));
  if (mprotect(memory, code->bytes_, PROT_READ | PROT_EXEC) != 0)
    throw_error(ErrorKind::runtime,
                "[link] the system does not allow generated code to run "
                "(mprotect failed)");
  __builtin___clear_cache(static_cast<char*>(memory),
                          static_cast<char*>(memory) + code->bytes_);
  linker.each_function([&](std::string_view name, char* address) {
    code->symbols_.push_back({std::string(name), address});
  });
  return code;
}

}  // namespace cotan::cpu
