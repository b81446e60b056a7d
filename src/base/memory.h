// How much memory there is.
#pragma once

#include <cstdint>
#include <string>

namespace paligemma {

// Bytes that this process can still take without swapping or being killed: the smallest of what the system has
// available, what its control group leaves and what RLIMIT_AS leaves. 0 when nothing can be found out.
std::uint64_t available_memory();

// Bytes that RLIMIT_AS leaves; the largest number when there is no limit.
std::uint64_t available_address_space();

// The most bytes that this process has held at once; since forget_peak_memory() where the system can do that.
std::uint64_t peak_memory();
void forget_peak_memory();

// "5.2 GiB", "310 MiB".
std::string readable_bytes(std::uint64_t bytes);

}  // namespace paligemma
