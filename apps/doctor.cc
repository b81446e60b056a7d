// paligemma doctor: what this machine has and which models fit.
#include <algorithm>

#include "base/cpu_info.h"
#include "base/error.h"
#include "base/memory.h"
#include "bench/shapes.h"
#include "options.h"
#include "pipeline.h"

namespace paligemma {
namespace {

// A way to hold and compute: its column, its name in JSON.
struct Way {
  std::string_view title, json;
  Holding holding;
};
constexpr Way kWays[] = {{"--compute f32", "f32_bytes", {HeldAs::as_in_file, Precision::f32}},
                         {"bf16", "bf16_bytes", {HeldAs::as_in_file, Precision::bf16}},
                         {"--weights q8", "q8_bytes", {HeldAs::q8, Precision::bf16}},
                         {"--weights q4", "q4_bytes", {HeldAs::q4, Precision::bf16}}};

struct Fit {
  std::string shape;
  std::uint64_t need[std::size(kWays)] = {};  // bytes
};

struct Diagnosis {
  std::string device;  // with the instruction set that runs
  int cores = 0;
  std::uint64_t available = 0;  // bytes of memory, 0: unknown
  std::vector<Fit> fits;
};

Diagnosis examine() {
  const std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
  Diagnosis diagnosis{
      .device = std::string(backend->name()), .cores = usable_cores(), .available = available_memory(), .fits = {}};
  for (const std::string& shape : shape_names()) {
    const Config config = *shape_config(shape);
    const TensorSource source = random_source(config, 0);
    Fit fit{shape};
    for (std::size_t i = 0; i < std::size(kWays); ++i)
      fit.need[i] = memory_need(config, source, kWays[i].holding, *backend, config.vision.tokens() + kTypicalAnswer,
                                kTypicalBatch)
                        .total();
    diagnosis.fits.push_back(std::move(fit));
  }
  return diagnosis;
}

std::string diagnosis_text(const Diagnosis& diagnosis) {
  const auto known = diagnosis.available != 0;
  std::string text = join("paligemma ", version(), "\ndevice: ", diagnosis.device, "\ncores: ", diagnosis.cores,
                          "\nmemory: ", known ? readable_bytes(diagnosis.available) + " available" : "unknown", "\n\n");
  const auto column = [](std::string_view cell) {
    return join(cell, std::string(cell.size() < 20 ? 20 - cell.size() : 1, ' '));
  };
  const auto cell = [&](std::uint64_t need) {
    return column(readable_bytes(need) + (!known ? "" : need <= diagnosis.available ? "  fits" : "  too large"));
  };
  const auto add = [&](std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  std::string titles = column("model");
  for (const Way& way : kWays) titles += column(way.title);
  add(std::move(titles));
  for (const Fit& fit : diagnosis.fits) {
    std::string line = column(fit.shape);
    for (const std::uint64_t need : fit.need) line += cell(need);
    add(std::move(line));
  }
  return text;
}

Json diagnosis_json(const Diagnosis& diagnosis) {
  Json fits = Json::array();
  for (const Fit& fit : diagnosis.fits) {
    Json entry = {{"shape", fit.shape}};
    for (std::size_t i = 0; i < std::size(kWays); ++i) entry[std::string(kWays[i].json)] = fit.need[i];
    fits.push_back(std::move(entry));
  }
  return {{"version", version()},
          {"device", diagnosis.device},
          {"cores", diagnosis.cores},
          {"available_bytes", diagnosis.available},
          {"shapes", std::move(fits)}};
}

int run_doctor(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  add_session_options(arguments, session);
  if (!arguments.parse(command, line, session.output)) return 0;
  const Diagnosis diagnosis = examine();
  const bool text = session.output.format == Format::text;
  session.output.write(text ? diagnosis_text(diagnosis) : dump_json(diagnosis_json(diagnosis)) + "\n");
  return 0;
}

}  // namespace

const Command kDoctor{.name = "doctor",
                      .words = "",
                      .most_words = 0,
                      .summary = "Print what this machine has and which models fit",
                      .examples = "  paligemma doctor\n",
                      .run = run_doctor};

}  // namespace paligemma
