// The public C++ API of paligemma.cpp.
//
// A program opens a model once and asks it any number of times:
//
//     paligemma::Model model = paligemma::Model::open("paligemma2-3b-mix-448");
//     paligemma::Request request{.task = paligemma::Task::detect, .labels = {"cow"}};
//     request.pictures.push_back({.path = "beach.jpg", .pixels = paligemma::read_picture("beach.jpg")});
//     paligemma::Result result = model.answer(request);
//     for (const paligemma::Object& object : result.objects) use(object.label, object.box);
//
// Everything here throws paligemma::Error and nothing else of its own. The library never prints, aborts or exits.
// Pictures are upright 8-bit RGB, origin top left. Boxes are float pixels of that picture, x2 and y2 exclusive.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace paligemma {

// ---------------------------------------------------------------------------------------------------------------------
// Errors

// What went wrong, by who has to act. The values are the program's exit codes.
enum class ErrorKind : int {
  failure = 1,   // unexpected, or a result could not be written
  usage = 2,     // a bad value or a bad combination of values
  input = 3,     // a picture
  model = 4,     // a checkpoint, tokenizer, codec or adapter: missing, damaged or wrong
  resource = 5,  // not enough memory, or a device is missing
  network = 6,
  auth = 7,
};

// The one exception of the library. `code` is a stable word for programs (for example "image_decode"), what() a
// sentence for people in the form "what failed: where: expected this, got that. Try: ...".
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, std::string code, const std::string& message)
      : std::runtime_error(message), kind_(kind), code_(std::move(code)) {}
  ErrorKind kind() const noexcept { return kind_; }
  const std::string& code() const noexcept { return code_; }

 private:
  ErrorKind kind_;
  std::string code_;
};

// ---------------------------------------------------------------------------------------------------------------------
// Pictures

// An upright 8-bit RGB picture, row by row without gaps.
struct Picture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  // (height, width, 3)
};

// A picture that several requests can hold: its pixels are there once, and are not changed.
class SharedPicture {
 public:
  SharedPicture() : SharedPicture(Picture()) {}
  SharedPicture(Picture picture) : picture_(std::make_shared<const Picture>(std::move(picture))) {}

  const Picture& operator*() const { return *picture_; }
  const Picture* operator->() const { return picture_.get(); }
  operator const Picture&() const { return *picture_; }
  const std::shared_ptr<const Picture>& pointer() const { return picture_; }

 private:
  std::shared_ptr<const Picture> picture_;
};

struct DecodeOptions {
  bool apply_exif = true;               // turn the picture as its EXIF orientation says
  std::int64_t max_pixels = 178956970;  // larger pictures are refused before their pixels are allocated
};

// Reads PNG, JPEG, WebP, GIF (first frame), BMP and PPM; the form is told from the content, not from the name. Gray,
// palette, CMYK, 16-bit and alpha become RGB as Pillow's convert("RGB") makes them. Throws Error{input,
// "image_decode"}, or "image_too_large".
Picture decode_picture(std::span<const std::byte> bytes, const DecodeOptions& options = {});
Picture read_picture(const std::filesystem::path& path, const DecodeOptions& options = {});

// ---------------------------------------------------------------------------------------------------------------------
// Questions

// `question` gives an answer and lets the model write the question.
enum class Task { caption, ocr, ask, question, detect, segment, run };
enum class CaptionLength { brief, detailed, alt };  // "caption", "describe" and "cap" in the model's words

struct RequestPicture {
  std::string path;  // shown in the result and in messages; need not exist
  SharedPicture pixels;
};

// How tokens are chosen. At temperature 0 the most probable one is; otherwise by chance among those that the filters
// leave, which apply in the order repetition penalty, temperature, top-k, top-p, min-p as in transformers.
struct Sampling {
  double temperature = 0;         // 0 to 100
  int top_k = 0;                  // the most probable so many, and those equal to the last of them; 0: all
  double top_p = 1;               // the fewest whose probabilities reach this
  double min_p = 0;               // those at least so probable as this times the most probable one
  double repetition_penalty = 1;  // 0.01 to 100, on the logits of what prompt and answer hold; at temperature 0 too
  std::uint64_t seed = 0;         // the same seed gives the same random numbers, whatever is answered beside
};

// How a beam search compares hypotheses.
enum class BeamScore {
  automatic,  // sum under Numerics::bv, else mean
  mean,       // log-probability / length^length_penalty, as transformers does
  sum,        // log-probability, as big_vision does
};

// Beam search: instead of one answer, the `count` best so far are followed. Not together with sampling.
struct Beams {
  int count = 1;  // 1 to 64; 1: none
  BeamScore score = BeamScore::automatic;
  double length_penalty = 1;  // -10 to 10, of `mean`
};

// One question about one picture, or about several at once (then `run` only).
struct Request {
  Task task = Task::run;
  std::vector<RequestPicture> pictures;
  std::string text{};                 // run: the prompt; ask: the question; question: the answer
  std::vector<std::string> labels{};  // detect and segment
  std::string language = "en";        // caption, ask and question
  CaptionLength length = CaptionLength::brief;
  // caption: of this part of the one picture alone, x1 y1 x2 y2 in its pixels; has neither language nor length.
  std::optional<std::array<double, 4>> region{};
  std::string suffix{};  // the answer is made to begin so
  int max_tokens = 256;  // generated beyond the suffix; 0 with a suffix only scores it
  Sampling sampling{};
  Beams beams{};
  bool logprobs = false;  // fill Token::logprob and Result::tokens
  bool causal = false;    // no bidirectional prefix: what a wrong caller of the reference computes
  // Which of ModelOptions::adapters answers: the name of its folder, or its path as given there. Empty text: the first
  // one, if there is any; no text: the model without adapters.
  std::optional<std::string> adapter = std::string();
};

// ---------------------------------------------------------------------------------------------------------------------
// Answers

// The part of a picture that an object covers: the pixels inside its box, row by row, one byte each (0 or 1).
struct Mask {
  int x = 0, y = 0;  // of the top left pixel in the picture
  int width = 0, height = 0;
  std::vector<std::uint8_t> inside{};  // (height, width)
};

// What a score says.
enum class ScoreKind {
  loc_geomean,  // how sure the model is of the box: the geometric mean of the probabilities of its four loc tokens
  // How sure it is that the object is there: the product of the probabilities of the label's tokens behind the box. Of
  // models that were trained with noise boxes.
  label_prob,
  // How often such a box is right: loc_geomean after `paligemma eval --calibrate`, fitted to boxes of which it was
  // known. Of models and adapters that hold a fit.
  loc_calibrated,
};

struct Object {
  std::string label{};
  std::optional<int> label_index{};  // place in Request::labels; empty when the model invented it
  std::array<double, 4> box{};       // x1 y1 x2 y2
  std::array<int, 4> loc{};          // y1 x1 y2 x2 as the model wrote them, 0..1023
  std::optional<double> score{};     // 0..1, of probabilities as Token::logprob has them
  ScoreKind score_kind = ScoreKind::loc_geomean;
  std::optional<std::array<int, 16>> seg{};  // mask codes, 0..127
  std::optional<Mask> mask{};                // empty for detect, and without a codec
};

struct Warning {
  std::string code{};  // loc_count, seg_count, seg_without_box, stray_text, empty_box, codec_missing, ...
  std::string text{};
};

struct Token {
  int id = 0;
  std::string text{};
  double logprob = 0;  // natural logarithm, of the softmax over the whole vocabulary before sampling's filters
  double margin = 0;   // from its logit to the best other one; 0 for forced tokens and under beam search
};

struct Timings {  // milliseconds, of all the requests that were answered together
  double load = 0, image = 0, vision = 0, prefill = 0, decode = 0, post = 0, total = 0;
};

enum class Finish { eos, length };

struct Result {
  Task task = Task::run;
  std::string model{};
  std::string prompt{};  // as given to the tokenizer, without the final newline
  std::string path{};    // of the first picture
  int width = 0, height = 0;
  std::string text{};                   // what the model wrote, loc and seg tokens kept
  std::optional<std::string> answer{};  // plain text for caption, ocr, ask, question and run
  std::vector<Object> objects{};
  std::vector<Warning> warnings{};
  Finish finish = Finish::eos;
  int prompt_tokens = 0;        // image tokens included
  int generated_tokens = 0;     // the suffix and eos included
  std::vector<Token> tokens{};  // with Request::logprobs
  Timings timings{};
};

// Compressed COCO run lengths ("counts" of pycocotools) of a mask in a picture of the given size.
std::string coco_rle(const Mask& mask, int picture_width, int picture_height);

// Outlines of a mask: closed polygons x1 y1 x2 y2 ... in pixels of the picture, outer rings and holes.
std::vector<std::vector<double>> polygons(const Mask& mask);

// The schema paligemma.result/1 as one line of JSON.
std::string to_json(const Result& result);

// ---------------------------------------------------------------------------------------------------------------------
// Models

// What the operands of products are rounded to. int8 is for weights in blocks, q8 where nothing else is said, which it
// makes blocks of 128: their activations have 8 bits, all else is as under bf16. `automatic` is bf16, of the embedded
// model f32.
enum class Compute { automatic, f32, bf16, int8 };
// How matrices are held. q8 and q4 are blocks of 32 elements of 8 or 4 bits with a scale each (GGUF's Q8_0 and Q4_0),
// made as the model is opened.
enum class WeightType { automatic, f32, bf16, q8, q4 };
// How pictures are brought to the model's size. `automatic` is pillow, under Numerics::bv tf_bilinear. `keras` cuts the
// middle square out of the picture, as KerasHub does by default: boxes and masks lie in that part.
enum class Resize { automatic, pillow, pillow_12, tf_bilinear, tf_antialias, keras };
// Whose results are reproduced where the references differ: transformers' or big_vision's. `automatic` is hf. bv has
// its rounding points (docs/numerics.md), its default resize and beam score, and computes in f32 unless told otherwise.
enum class Numerics { automatic, hf, bv };
// Whether every second layer of Gemma 2 sees only the last sliding_window tokens, as in transformers, or all.
enum class Window { none, hf };
enum class Switch { automatic, on, off };
enum class MaskProfile { standard, evaluator };

struct ModelOptions {
  std::filesystem::path tokenizer{};  // tokenizer.model or tokenizer.json; empty: in the model's folder, or beside it
  std::filesystem::path codec{};      // mask codec (.npz or .safetensors); empty: in the model's folder
  // LoRA adapters: folders as PEFT writes them. Each request chooses one, and prompts with different ones are answered
  // together. With `merge_adapters` all are added into the weights as the model is opened, one after the other: answers
  // are as fast as without, nobody can choose, and weights held in bf16 are rounded once more.
  std::vector<std::filesystem::path> adapters{};
  bool merge_adapters = false;
  WeightType weights = WeightType::automatic;
  Compute compute = Compute::automatic;
  Switch final_softcap = Switch::automatic;
  Switch attention_softcap = Switch::automatic;
  Numerics numerics = Numerics::automatic;
  Window window = Window::none;
  Resize resize = Resize::automatic;
  MaskProfile mask_profile = MaskProfile::standard;
  int box_divisor = 0;  // 0: what the model says, else 1023
  // Two savings that change no result. Likely tokens are checked together with the last one, in up to so many rows of a
  // step; 0: as many as take little longer than one, 1: none. A picture goes through the vision tower once for all the
  // requests that hold it, in one call or in the next one.
  int draft_rows = 0;
  bool share_pictures = true;
  int threads = 0;                 // 0: one for each core that the process may use
  std::uint64_t memory_limit = 0;  // bytes; 0: what the system has available
};

// What a model is, for display.
struct ModelInfo {
  std::string name{};    // "pocket", or the folder's name
  std::string family{};  // "PaliGemma 1" or "PaliGemma 2"
  std::uint64_t parameters = 0;
  int image_size = 0;  // pixels a side
  int image_tokens = 0;
  bool has_boxes = false;  // the tokenizer has loc tokens
  bool has_codec = false;
  std::string weights{}, compute{}, isa{};
  double load_ms = 0;
};

struct Pipeline;  // internal

// A loaded model. Move-only. Distinct models may be used from distinct threads at once; calls to one model are made one
// after the other by the caller.
class Model {
 public:
  // A Hugging Face directory, a big_vision .npz (or its .npz.part* pieces), a KerasHub preset or a .keras file. Throws
  // Error{model} for a damaged or inconsistent checkpoint or adapter, Error{resource} when it does not fit (said before
  // anything is loaded).
  static Model open(const std::filesystem::path& path, const ModelOptions& options = {});
  // The small model that is part of the library.
  static Model embedded(const ModelOptions& options = {});

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  const ModelInfo& info() const;

  // Answers one request, or several as one batch; the results are the same either way. `stop` is asked between
  // tokens; when it says true the call ends with Error{failure, "interrupted"}. Throws Error{usage, "decoding"} for
  // settings of sampling or beams outside their limits, Error{usage, "adapter"} for a name that no adapter has, or two.
  Result answer(const Request& request, const std::function<bool()>& stop = {});
  std::vector<Result> answer(std::span<const Request> requests, const std::function<bool()>& stop = {});

 private:
  explicit Model(std::unique_ptr<Pipeline> pipeline);
  std::unique_ptr<Pipeline> pipeline_;
};

// The version of the library, "major.minor.patch".
std::string_view version();

// ---------------------------------------------------------------------------------------------------------------------
// Drawing. Part of the library only when it is built with PALIGEMMA_DRAW (the default).

struct DrawOptions {
  double mask_opacity = 0.45;
  bool scores = true;
};

// Draws boxes, masks and labels of `result` over a copy of `picture` and encodes it as `format`: "png", "jpg", "webp"
// or "svg".
std::vector<std::byte> draw(const Picture& picture, const Result& result, std::string_view format,
                            const DrawOptions& options = {});

// Throws Error{usage, "no_drawing"} where draw() always does: in a library that was built without it.
void require_drawing();

}  // namespace paligemma
