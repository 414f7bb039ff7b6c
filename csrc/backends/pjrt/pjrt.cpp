#include "backends/pjrt/pjrt.h"

#include <atomic>
#include <mutex>
#include <unordered_map>

#include "backends/pjrt/executable.h"
#include "ir/primitive.h"

namespace cotan::pjrt {

using namespace abi;

// ---- platforms

namespace {

struct Platforms {
  std::mutex mutex;
  std::map<std::string, PjrtClient*> clients;
};
Platforms& platforms() {
  static auto* p = new Platforms;
  return *p;
}

PjrtClient& client_of(const std::string& platform) {
  Platforms& p = platforms();
  std::lock_guard lock(p.mutex);
  auto it = p.clients.find(platform);
  if (it == p.clients.end())
    throw_value("[pjrt] no plugin is loaded for platform '", platform, "'");
  return *it->second;
}

}  // namespace

std::span<cotan::Device* const> load_devices(const std::string& platform,
                                             const std::string& path,
                                             const PluginValues& options) {
  Platforms& p = platforms();
  {
    std::lock_guard lock(p.mutex);
    PjrtClient*& c = p.clients[platform];
    if (!c) {
      try {
        c = new PjrtClient(Plugin::load(path), platform, options);
      } catch (...) {
        p.clients.erase(platform);
        throw;
      }
    } else if (c->plugin().path() != path) {
      throw_value("[pjrt] platform '", platform, "' is served by ",
                  c->plugin().path(), " already, not by ", path);
    }
  }
  return devices(platform);
}

PlatformFacts platform_facts(const std::string& platform) {
  PjrtClient& c = client_of(platform);
  return {c.plugin().path(), c.plugin_platform(), c.version(),
          c.plugin().minor_version(), c.plugin().attributes()};
}

bool is_pjrt_device(cotan::Device* device) noexcept {
  return as_pjrt(device) != nullptr;
}

const PluginValues& device_attributes(cotan::Device* device) {
  static const PluginValues none;
  PjrtDevice* d = as_pjrt(device);
  return d ? d->attributes() : none;
}

// ---- compiling

namespace {

std::atomic<int64_t> compiled_count{0}, hit_count{0};

struct ProgramKey {
  cotan::Device* device;
  std::string text;  // names the donated inputs too
  PluginValues flags;
  bool operator==(const ProgramKey&) const = default;
};
struct ProgramKeyHash {
  size_t operator()(const ProgramKey& k) const {
    return std::hash<std::string>()(k.text) ^
           reinterpret_cast<size_t>(k.device);
  }
};
struct Programs {
  std::mutex mutex;
  std::unordered_map<ProgramKey, Ref<cotan::Executable>, ProgramKeyHash>
      entries;
};
Programs& programs() {
  static auto* p = new Programs;
  return *p;
}

// A parse error names a line of our text: say which operation that is.
std::string where(const HloModule& m, const std::string& message) {
  size_t at = message.find("-:");
  if (at == message.npos) return "";
  int line = std::atoi(message.c_str() + at + 2);
  std::string origin = line > 0 ? m.origin(line) : "";
  return origin.empty() ? "" : cat("\nThis is about ", origin, ".");
}

// XLA's CPU compiler drops nans from min and max, and 16-bit roundings inside a
// fusion, unless told not to.
const PluginValues& exact_flags(const PjrtClient& c) {
  static const PluginValues cpu = {{"xla_allow_excess_precision", false},
                                   {"xla_cpu_enable_fast_min_max", false}};
  static const PluginValues none;
  return c.plugin_platform() == "cpu" ? cpu : none;
}

LoadedExecutable* compile_text(PjrtDevice* d, HloModule& m,
                               CompileSettings settings,
                               const std::string& name, bool exact = true) {
  const Plugin& plugin = d->client().plugin();
  PluginValues asked = settings.flags;
  if (exact)
    for (const auto& [flag, value] : exact_flags(d->client()))
      settings.flags.try_emplace(flag, value);
  std::string options = encode_compile_options(settings);
  abi::Program program;
  program.size = sizeof program;
  program.code = m.text.data();
  program.code_size = m.text.size();
  program.format = "mlir";
  program.format_size = 4;
  ClientCompileArgs a;
  a.client = d->client().handle();
  a.program = &program;
  a.options = options.data();
  a.options_size = options.size();
  ++compiled_count;
  if (abi::Error* e = plugin.call_raw(kClientCompile, a)) {
    Plugin::Failure f = plugin.take(e);
    // A flag that this plugin does not have any more, or yet.
    if (exact && settings.flags.size() > asked.size() &&
        f.message.find("No such compile option") != f.message.npos) {
      settings.flags = std::move(asked);
      return compile_text(d, m, std::move(settings), name, false);
    }
    f.message += where(m, f.message);
    plugin.fail(f, cat("compiling ", name, " for ", d->name()));
  }
  return a.out;
}

}  // namespace

PjrtStats stats() { return {compiled_count, hit_count}; }

void clear_programs() {
  Programs& p = programs();
  std::lock_guard lock(p.mutex);
  p.entries.clear();
}

Ref<cotan::Executable> compile(cotan::Device* device, const Jaxpr& j,
                               const std::vector<bool>& donated,
                               const std::string& name,
                               const PluginValues& flags) {
  PjrtDevice* d = as_pjrt(device);
  COTAN_CHECK(d);
  for (const Aval& a : j.in_avals()) refuse_packed(a.dtype);
  for (const Aval& a : j.out_avals()) refuse_packed(a.dtype);
  Ref<HostCalls> host_calls;
  if (d->client().shares_host_memory() &&
      enable_host_calls(d->client().plugin()))
    host_calls = make_ref<HostCalls>();
  HloModule m =
      lower_to_stablehlo(j, {"jit_" + name, donated, host_calls.get()});
  if (host_calls && host_calls->empty()) host_calls = nullptr;
  ProgramKey key{device, m.text, flags};
  Programs& p = programs();
  {
    std::lock_guard lock(p.mutex);
    if (auto it = p.entries.find(key); it != p.entries.end()) {
      ++hit_count;
      return it->second;
    }
  }
  CompileSettings settings;
  settings.device = d->global_id();
  settings.flags = flags;
  std::vector<InputSpec> in;
  std::vector<OutputSpec> out;
  for (const Aval& a : j.in_avals())
    in.push_back({a, in.size() < donated.size() && donated[in.size()]});
  for (const Aval& a : j.out_avals()) out.push_back({a});
  auto e = make_ref<PjrtExecutable>(d, compile_text(d, m, settings, name),
                                    std::move(in), std::move(out), host_calls);
  // The text names this program's calls: no other has it.
  if (host_calls) return e;
  std::lock_guard lock(p.mutex);
  return p.entries.try_emplace(std::move(key), std::move(e)).first->second;
}

// ---- eager programs

namespace {

struct EagerKey {
  cotan::Device* device;
  const Primitive* prim;
  Params params;
  SmallVector<Aval, 4> in;
  bool operator==(const EagerKey& o) const {
    if (device != o.device || prim != o.prim || in.size() != o.in.size())
      return false;
    for (size_t i = 0; i < in.size(); ++i)
      if (!same_layout(in[i], o.in[i])) return false;
    return params == o.params;
  }
};
struct EagerKeyHash {
  size_t operator()(const EagerKey& k) const {
    uint64_t h = hash_mix(reinterpret_cast<uint64_t>(k.prim), k.params.hash());
    for (const Aval& a : k.in) {
      h = hash_mix(h, uint64_t(a.dtype) << 8 | a.shape.size());
      for (int64_t n : a.shape) h = hash_mix(h, uint64_t(n));
    }
    return h;
  }
};
struct EagerPrograms {
  std::mutex mutex;
  std::unordered_map<EagerKey, Ref<cotan::Executable>, EagerKeyHash> entries;
};
EagerPrograms& eager_programs() {
  static auto* p = new EagerPrograms;
  return *p;
}

Jaxpr one_equation(const Primitive& p, const Params& params,
                   std::span<const Aval> in) {
  Jaxpr j;
  Eqn e;
  e.prim = &p;
  e.params = params;
  for (const Aval& a : in) {
    j.in.push_back(j.new_var(a));
    e.in.push_back(Atom::var(j.in.back()));
  }
  for (const Aval& a : p.type({p, in, params})) {
    e.out.push_back(j.new_var(a));
    j.out.push_back(Atom::var(e.out.back()));
  }
  j.eqns.push_back(std::move(e));
  return j;
}

}  // namespace

Ref<cotan::Executable> eager_program(cotan::Device* device, const Primitive& p,
                                     const Params& params,
                                     std::span<const Aval> in) {
  EagerPrograms& t = eager_programs();
  EagerKey key{device, &p, params, SmallVector<Aval, 4>(in)};
  {
    std::lock_guard lock(t.mutex);
    if (auto it = t.entries.find(key); it != t.entries.end()) return it->second;
  }
  Ref<cotan::Executable> e =
      compile(device, one_equation(p, params, in), {}, p.name);
  std::lock_guard lock(t.mutex);
  return t.entries.try_emplace(std::move(key), std::move(e)).first->second;
}

// ---- programs as bytes

namespace {

// The Executable behind a LoadedExecutable, destroyed at the end of a scope.
class Inside {
 public:
  Inside(const Plugin& plugin, LoadedExecutable* loaded) : plugin_(plugin) {
    HandlePointer a;
    a.handle = loaded;
    plugin.call(kLoadedGetExecutable, a, "looking into a program");
    handle = static_cast<abi::Executable*>(a.out);
  }
  ~Inside() { plugin_.destroy(kExecutableDestroy, handle); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  abi::Executable* handle;

 private:
  const Plugin& plugin_;
};

const PjrtExecutable& of_plugin(const cotan::Executable& e) {
  if (!as_pjrt(e.device()))
    throw_not_implemented("[pjrt] only programs of a plugin can do this, got ",
                          "one for ", e.device()->name());
  return static_cast<const PjrtExecutable&>(e);
}

}  // namespace

std::string serialize_program(const cotan::Executable& e) {
  const PjrtExecutable& p = of_plugin(e);
  if (p.calls_host())
    throw_not_implemented(
        "[pjrt] a program that calls this process cannot be serialized");
  const Plugin& plugin = as_pjrt(e.device())->client().plugin();
  Inside inside(plugin, p.handle());
  return serialize(plugin, inside.handle);
}

ProgramFacts facts_of(const cotan::Executable& e) {
  const PjrtExecutable& p = of_plugin(e);
  const Plugin& plugin = as_pjrt(e.device())->client().plugin();
  Inside inside(plugin, p.handle());
  return program_facts(plugin, inside.handle);
}

std::string optimized_of(const cotan::Executable& e, std::string* format) {
  const PjrtExecutable& p = of_plugin(e);
  const Plugin& plugin = as_pjrt(e.device())->client().plugin();
  Inside inside(plugin, p.handle());
  return optimized_program(plugin, inside.handle, format);
}

Ref<cotan::Executable> load_program(cotan::Device* device,
                                    const std::string& bytes,
                                    std::vector<InputSpec> in,
                                    std::vector<OutputSpec> out) {
  PjrtDevice* d = as_pjrt(device);
  if (!d)
    throw_value("[pjrt] a serialized program of a plugin needs one of its ",
                "devices, got ", device->name());
  DeserializeArgs a;
  a.client = d->client().handle();
  a.data = bytes.data();
  a.size_of_data = bytes.size();
  d->client().plugin().call(kDeserializeAndLoad, a, "loading a program");
  return make_ref<PjrtExecutable>(d, a.out, std::move(in), std::move(out));
}

}  // namespace cotan::pjrt
