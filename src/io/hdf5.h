// Reads and writes the part of the HDF5 format that Keras uses for .weights.h5 and .lora.h5: superblock version 0,
// groups as symbol tables, contiguous little-endian datasets.
// https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t11.html
//
// Whatever else a file has ends in an Error that says what was met. Every address is checked, nothing is visited twice,
// and time and memory grow with the size of the file, whatever it says of itself.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "io/file.h"
#include "io/streamed_array.h"

namespace paligemma {

// Paths have no leading slash: "layers/reversible_embedding/vars/0".
struct Hdf5 {
  FileBytes file;
  // f32, f16, and bf16 as Keras writes it (opaque elements of two bytes, attribute dtype = "bfloat16"). They point into
  // `file` and do not overlap.
  std::map<std::string, HostTensor, std::less<>> datasets;
  std::map<std::string, std::string, std::less<>> skipped;  // datasets of other types: path -> the type, in words
  std::map<std::string, std::string, std::less<>> names;  // group -> its attribute "name"; groups without are not here
};

// `where` names the file in messages. Throws Error{model, "hdf5"}.
Hdf5 read_hdf5(FileBytes file, std::string_view where);

// What a file to be written holds.
struct Hdf5Layout {
  struct Dataset {
    std::string path;
    DType dtype = DType::f32;
    std::vector<std::int64_t> shape;
  };
  std::vector<Dataset> datasets;
  std::map<std::string, std::string> names;  // group -> its attribute "name", or "" for a group that has none
};

// Gives the bytes of datasets[index] to `put`, in as many pieces as it likes.
using DatasetSource = std::function<void(std::size_t index, const ByteSink& put)>;

// Writes front to back, first what describes the datasets, then their bytes in the order of `layout`; holds only the
// description. Groups that a path goes through are made. Throws Error{failure, "hdf5"} for a path that is there twice
// and for a dataset that `source` gives too many or too few bytes of.
void write_hdf5(const Hdf5Layout& layout, const DatasetSource& source, const ByteSink& sink);

}  // namespace paligemma
