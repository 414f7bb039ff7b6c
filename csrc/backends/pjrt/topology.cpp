#include "backends/pjrt/topology.h"

#include "backends/pjrt/executable.h"

namespace cotan::pjrt {

using namespace abi;

Ref<Topology> Topology::make(const std::string& plugin_path,
                             const std::string& name,
                             const PluginValues& options) {
  Plugin& plugin = Plugin::load(plugin_path);
  std::vector<NamedValue> values = named_values(options);
  TopologyCreateArgs a;
  a.name = name.data();
  a.name_size = name.size();
  a.options = values.data();
  a.num_options = values.size();
  plugin.call(kTopologyCreate, a, cat("making topology '", name, "'"));
  return Ref<Topology>::adopt([&] {
    auto* t = new Topology(plugin, a.out, name);
    t->retain_first();
    return t;
  }());
}

Topology::Topology(Plugin& plugin, abi::TopologyDescription* handle,
                   std::string name)
    : plugin_(plugin), handle_(handle), name_(std::move(name)) {
  platform_ = plugin.text(kTopologyPlatformName, handle);
  version_ = plugin.text(kTopologyPlatformVersion, handle);
  HandleList list;
  list.handle = handle;
  plugin.call(kTopologyDescriptions, list, "listing a topology's devices");
  for (size_t i = 0; i < list.count; ++i) {
    HandleInt id;
    id.handle = list.items[i];
    plugin.call(kDescriptionId, id, "describing a device");
    HandleCounted attributes;
    attributes.handle = list.items[i];
    plugin.call(kDescriptionAttributes, attributes, "describing a device");
    devices_.push_back({id.out, plugin.text(kDescriptionKind, list.items[i]),
                        read_values(attributes.values, attributes.count)});
  }
  HandleValues all;
  all.handle = handle;
  plugin.call(kTopologyAttributes, all, "describing a topology");
  attributes_ = read_values(all.values, all.count);
}

Topology::~Topology() { plugin_.destroy(kTopologyDestroy, handle_); }

std::string Topology::serialize() const {
  SerializeArgs a;
  a.handle = handle_;
  plugin_.call(kTopologySerialize, a, "serializing a topology");
  std::string out(a.data, a.size_of_data);
  if (a.release) a.release(a.owner);
  return out;
}

Ref<AotProgram> Topology::compile(const std::string& text,
                                  const CompileSettings& settings) const {
  check_module_text(text);
  std::string code = text, options = encode_compile_options(settings);
  abi::Program program;
  program.size = sizeof program;
  program.code = code.data();
  program.code_size = code.size();
  program.format = "mlir";
  program.format_size = 4;
  CompileArgs a;
  a.topology = handle_;
  a.program = &program;
  a.options = options.data();
  a.options_size = options.size();
  plugin_.call(kCompile, a, cat("compiling for ", name_));
  auto* p = new AotProgram(Ref<const Topology>(this), a.out);
  p->retain_first();
  return Ref<AotProgram>::adopt(p);
}

// ---- programs

AotProgram::~AotProgram() {
  topology_->plugin_.destroy(kExecutableDestroy, handle_);
}

ProgramFacts AotProgram::facts() const {
  return program_facts(topology_->plugin_, handle_);
}

std::string AotProgram::serialize() const {
  return pjrt::serialize(topology_->plugin_, handle_);
}

std::string AotProgram::optimized(std::string* format) const {
  return optimized_program(topology_->plugin_, handle_, format);
}

Avals AotProgram::outputs() const {
  const Plugin& plugin = topology_->plugin_;
  OutputTypesArgs types;
  types.executable = handle_;
  plugin.call(kExecutableOutputTypes, types, "asking for output types");
  OutputDimensionsArgs dims;
  dims.executable = handle_;
  plugin.call(kExecutableOutputDimensions, dims, "asking for output shapes");
  Avals out;
  const int64_t* at = dims.dims;
  for (size_t i = 0; i < types.count; ++i) {
    DType t = DType::f32;
    for (int d = 0; d < int(DType::key); ++d)
      if (element_type(DType(d)) == types.types[i]) t = DType(d);
    out.push_back({t, false, Shape(at, at + dims.ranks[i])});
    at += dims.ranks[i];
  }
  return out;
}

}  // namespace cotan::pjrt
