// The constants of the HDF5 format that its reader and its writer share.
#pragma once

#include <cstdint>
#include <string_view>

namespace paligemma::hdf5 {

inline constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
inline constexpr std::uint64_t kSuperblockSize = 96;
inline constexpr std::uint64_t kNoAddress = ~std::uint64_t{0};

enum Message : std::uint16_t {
  kDataspace = 0x1,
  kLinkInfo = 0x2,
  kDatatype = 0x3,
  kFillValue = 0x5,
  kExternalFiles = 0x7,
  kLayout = 0x8,
  kFilters = 0xb,
  kAttribute = 0xc,
  kContinuation = 0x10,
  kSymbolTable = 0x11,
};

enum TypeClass : std::uint8_t {
  kInteger = 0,
  kFloat = 1,
  kString = 3,
  kOpaque = 5,
  kVariableLength = 9,
};

// The datatype messages of IEEE 754's binary32 and binary16, little endian: class and version, three bytes of flags,
// size; bit offset, bits, place and bits of exponent, place and bits of mantissa, bias.
inline constexpr std::string_view kFloat32{"\x11\x20\x1f\0\4\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0", 20};
inline constexpr std::string_view kFloat16{"\x11\x20\x0f\0\2\0\0\0\0\0\x10\0\x0a\x05\0\x0a\x0f\0\0\0", 20};

constexpr std::uint64_t padded(std::uint64_t size) { return (size + 7) & ~std::uint64_t{7}; }

}  // namespace paligemma::hdf5
