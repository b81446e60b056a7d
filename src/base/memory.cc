#include "base/memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <limits>
#include <optional>

namespace paligemma {
namespace {

// The number after `key` in a file of "key value" lines, or the first number of the file when `key` is empty.
std::optional<std::uint64_t> read_number(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    if (!key.empty() && word != key) continue;
    if (!key.empty() && !(file >> word)) break;
    if (word.empty() || word[0] < '0' || word[0] > '9') return {};  // "max"
    return std::stoull(word);
  }
  return {};
}

std::uint64_t left(std::optional<std::uint64_t> limit, std::optional<std::uint64_t> used) {
  if (!limit) return std::numeric_limits<std::uint64_t>::max();
  return *limit - std::min(*limit, used.value_or(0));
}

std::uint64_t control_group() {
  const std::string v2 = "/sys/fs/cgroup/", v1 = "/sys/fs/cgroup/memory/";
  return std::min(left(read_number(v2 + "memory.max", ""), read_number(v2 + "memory.current", "")),
                  left(read_number(v1 + "memory.limit_in_bytes", ""), read_number(v1 + "memory.usage_in_bytes", "")));
}

}  // namespace

std::uint64_t available_address_space() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return std::numeric_limits<std::uint64_t>::max();
  const auto used_kib = read_number("/proc/self/status", "VmSize:");
  return left(limit.rlim_cur, used_kib.value_or(0) * 1024);
}

std::uint64_t available_memory() {
  const auto system_kib = read_number("/proc/meminfo", "MemAvailable:");
  const std::uint64_t system = system_kib ? *system_kib * 1024 : std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t least = std::min({system, control_group(), available_address_space()});
  return least == std::numeric_limits<std::uint64_t>::max() ? 0 : least;
}

std::uint64_t peak_memory() {
  if (const auto kib = read_number("/proc/self/status", "VmHWM:")) return *kib * 1024;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

void forget_peak_memory() { std::ofstream("/proc/self/clear_refs") << 5; }

std::string readable_bytes(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) value /= 1024, ++unit;
  char text[32];
  std::snprintf(text, sizeof text, value < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", value, units[unit]);
  return text;
}

}  // namespace paligemma
