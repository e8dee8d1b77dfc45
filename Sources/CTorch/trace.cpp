#include "include/ct_trace.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <sstream>
#include <unordered_map>

#include "shim.h"

using namespace ct;
namespace jit = torch::jit;

struct CTGraphBox {
  jit::Module module;
  std::string text;
  std::vector<at::Tensor> constants;
};

namespace {

/// The module that holds the last part of a key, made where it is missing.
jit::Module owner(jit::Module module, const std::string &key, std::string &last) {
  size_t start = 0;
  for (size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.', start)) {
    const std::string name = key.substr(start, dot - start);
    if (!module.hasattr(name))
      module.register_module(name, jit::Module("__torch__.antidote.Part", module._ivalue()->compilation_unit(), true));
    module = module.attr(name).toModule();
    start = dot + 1;
  }
  last = key.substr(start);
  return module;
}

class Writer {
 public:
  Writer(CTGraphBox &box, const jit::Graph &graph) : box(box) {
    // The first input is the module.
    paths[graph.inputs()[0]] = "";
    values[graph.inputs()[1]] = "%in";
    for (const jit::Node *node : graph.nodes()) write(*node);
    out << "return\t\t" << values.at(graph.outputs()[0]) << "\n";
    box.text = out.str();
  }

 private:
  CTGraphBox &box;
  std::ostringstream out;
  std::unordered_map<const jit::Value *, std::string> values, paths;

  void write(const jit::Node &node) {
    const std::string kind = node.kind().toQualString();
    if (node.kind() == c10::prim::GetAttr) {
      const std::string &parent = paths.at(node.input());
      const std::string path = (parent.empty() ? "" : parent + ".") + node.s(c10::attr::name);
      paths[node.output()] = path;
      values[node.output()] = "@" + path;
      return;
    }
    if (node.kind() == c10::prim::Constant) {
      const auto value = jit::toIValue(node.output());
      values[node.output()] = value ? text(*value) : "none";
      return;
    }
    if (node.kind() == c10::prim::ListConstruct) {
      std::string list = "[";
      for (const jit::Value *input : node.inputs()) list += (list.size() > 1 ? " " : "") + values.at(input);
      values[node.output()] = list + "]";
      return;
    }
    out << kind << "\t";
    for (const jit::Value *output : node.outputs()) {
      values[output] = "%" + std::to_string(output->unique());
      out << (output == node.outputs()[0] ? "" : " ") << values[output] << ":" << shape(*output);
    }
    for (const jit::Value *input : node.inputs()) out << "\t" << values.at(input);
    out << "\n";
  }

  static std::string shape(const jit::Value &value) {
    const auto type = value.type()->cast<c10::TensorType>();
    const auto sizes = type ? type->sizes().concrete_sizes() : std::nullopt;
    std::string text;
    if (sizes)
      for (const int64_t size : *sizes) text += (text.empty() ? "" : "x") + std::to_string(size);
    return text;
  }

  std::string text(const c10::IValue &value) {
    if (value.isNone()) return "none";
    if (value.isBool()) return value.toBool() ? "true" : "false";
    if (value.isInt()) return std::to_string(value.toInt());
    if (value.isString()) return "\"" + value.toStringRef() + "\"";
    if (value.isDouble()) {
      std::ostringstream number;
      number.precision(17);
      number << std::showpoint << value.toDouble();
      return number.str();
    }
    if (value.isIntList()) {
      std::string list = "[";
      for (const int64_t element : value.toIntVector()) list += (list.size() > 1 ? " " : "") + std::to_string(element);
      return list + "]";
    }
    if (value.isTensor()) {
      box.constants.push_back(value.toTensor());
      return "#" + std::to_string(box.constants.size() - 1);
    }
    return "\"" + value.tagKind() + "\"";
  }
};

}  // namespace

extern "C" {

CTGraph ct_trace(CTTensor input, const char *const *names, const CTTensor *tensors, const bool *are_parameters, int64_t n,
                 CTTensor (*forward)(void *, CTTensor), void *context) {
  return guarded<CTGraph>(nullptr, [&]() -> CTGraph {
    at::NoGradGuard guard;
    auto box = std::make_unique<CTGraphBox>();
    box->module = jit::Module("__torch__.antidote.Classifier", std::make_shared<jit::CompilationUnit>());
    for (int64_t i = 0; i < n; ++i) {
      std::string last;
      jit::Module part = owner(box->module, names[i], last);
      part.register_parameter(last, get(tensors[i]), !are_parameters[i]);
    }
    const auto run = [&](jit::Stack inputs) -> jit::Stack {
      CTTensor result = forward(context, wrap(at::Tensor(inputs[0].toTensor())));
      TORCH_CHECK(result, "the computation failed");
      return {get(result)};
    };
    auto [state, outputs] = jit::tracer::trace(
        {get(input)}, run, [](const at::Tensor &) { return std::string(); }, /*strict*/ true, /*force_outplace*/ true, &box->module,
        {"images"});
    jit::EliminateDeadCode(state->graph);
    Writer(*box, *state->graph);
    const auto type = box->module.type();
    type->addMethod(box->module._ivalue()->compilation_unit()->create_function(c10::QualifiedName(*type->name(), "forward"), state->graph));
    return box.release();
  });
}
void ct_graph_release(CTGraph g) { delete g; }
const char *ct_graph_text(CTGraph g) { return g->text.c_str(); }
CTTensor ct_graph_constant(CTGraph g, int64_t index) {
  return tensor([&] { return at::Tensor(g->constants.at(static_cast<size_t>(index))); });
}
int ct_graph_save(CTGraph g, const char *path) {
  return status([&] { g->module.save(path); });
}

}  // extern "C"
