// Everything that a run depends on, each setting once: its name in recipe.toml, which with hyphens for underscores is
// the name of its option, its range and what it is for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"

namespace paligemma {

// Words of a setting are checked where they are read; what they stand for is worked out in plan.h.
struct Recipe {
  // What is trained on.
  std::string data{}, val{}, images{}, task = "auto", prefix = "caption en", detect_prompt = "classes";
  bool shuffle = true, pack = false;
  std::string augment = "none";
  std::int64_t noise_boxes = 0, answer_tokens = 512;

  // What is trained.
  std::string model{}, new_model{}, tokenizer{}, codec{}, init{}, mode = "lora", weights = "auto", compute = "auto";
  std::vector<std::string> freeze{}, targets{};
  std::int64_t rank = 8;
  double alpha = 16, dropout = 0;
  bool rslora = false;

  // How.
  std::int64_t steps = 0, batch = 4, accumulate = 4, warmup = -1, seed = 0;
  double epochs = 0, lr = 0, lr_adamw = 0;
  std::string schedule = "cosine", optimizer = "adamw", loss = "example-mean", token_weights = "";
  std::string final_softcap = "off", attention_softcap = "auto", checkpointing = "auto";
  double weight_decay = 1e-6, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, clip = 1, ema = 0, label_smoothing = 0,
         soft_loc = 0;
  bool decay_all = false, clip_adamw_only = false;
  double dense_head = 0;
  std::int64_t dense_steps = 0;

  // What is looked at, and kept.
  std::string metric = "auto", save_type = "auto", out{};
  std::int64_t eval_every = 0, eval_limit = 200, patience = 0, keep = 2, save_every = 0, threads = 0;
};

// Calls f(name, field, about) for each setting, where `about` is one of these.
struct RecipeText {
  std::string_view value_name, help;
};
struct RecipeWords {
  std::vector<std::string_view> words;
  std::string_view help;
};
struct RecipeWhole {
  std::int64_t low, high;
  std::string_view help;
};
struct RecipeReal {
  double low, high;
  std::string_view help;
};
struct RecipeSwitch {
  std::string_view help;
};

template <class RecipeType, class F>
void visit_recipe(RecipeType& r, F&& f) {
  constexpr std::int64_t kMany = 1'000'000'000;
  f("data", r.data, RecipeText{"PATH", "The data set, in whatever form it is"});
  f("val", r.val, RecipeText{"PATH|SHARE", "Data to validate on, or how much of DATA is held out (0.1)"});
  f("images", r.images, RecipeText{"DIR", "Where pictures are looked for first"});
  f("task", r.task,
    RecipeWords{{"auto", "detect", "segment"}, "What objects are for (auto: masks where there are some)"});
  f("prefix", r.prefix, RecipeText{"TEXT", "The prompt of rows that have none (caption en)"});
  f("detect_prompt", r.detect_prompt,
    RecipeWords{{"classes", "every", "each"},
                "detect: all class names in the prompt, `all classes`, or one class a question (classes)"});
  f("shuffle", r.shuffle, RecipeSwitch{"The order of examples and of objects changes (on)"});
  f("pack", r.pack,
    RecipeSwitch{"Prompts about one picture follow each other and share its way through the decoder (off)"});
  f("augment", r.augment, RecipeText{"LIST", "Of crop, zoom-out, flip, color, blur, jpeg (none)"});
  f("noise_boxes", r.noise_boxes,
    RecipeWhole{0, 256, "Detection: fill up to so many boxes, so that a label's probability is a confidence (0)"});
  f("answer_tokens", r.answer_tokens, RecipeWhole{1, 8192, "Longer answers are cut, and counted (512)"});

  f("model", r.model, RecipeText{"PATH", "The model to begin with (the embedded one)"});
  f("new_model", r.new_model,
    RecipeText{"SIZES", "full: begin with nothing, as large as in side=112,patch=14,..., and learn the words of DATA"});
  f("tokenizer", r.tokenizer, RecipeText{"PATH", "tokenizer.model or tokenizer.json (in the model)"});
  f("codec", r.codec, RecipeText{"PATH", "Mask codec, vae-oid.npz (in the model)"});
  f("init", r.init, RecipeText{"DIR", "Go on from this adapter; full: from this model, with fresh moments"});
  f("mode", r.mode, RecipeWords{{"lora", "qlora", "full"}, "lora, qlora (on a base of 8 or 4 bits), full (lora)"});
  f("weights", r.weights,
    RecipeWords{{"auto", "f32", "bf16", "q8", "q4"}, "How what is not trained is held (auto; qlora: q4)"});
  f("compute", r.compute, RecipeWords{{"auto", "f32", "bf16"}, "Arithmetic of products (auto)"});
  f("freeze", r.freeze, RecipeText{"PATTERN", "full: tensors that stay, by whole published names. Repeatable"});
  f("targets", r.targets,
    RecipeText{"PATTERN",
               "lora: modules that change, by whole published names (the decoder's projections). Repeatable"});
  f("rank", r.rank, RecipeWhole{1, 1024, "Of LoRA (8)"});
  f("alpha", r.alpha, RecipeReal{0, 1e6, "Of LoRA: its changes count alpha / rank (16)"});
  f("rslora", r.rslora, RecipeSwitch{"They count alpha / sqrt(rank) (off)"});
  f("dropout", r.dropout, RecipeReal{0, 0.99, "Of what goes into LoRA (0)"});

  f("steps", r.steps, RecipeWhole{0, kMany, "Updates; 0: as epochs says"});
  f("epochs", r.epochs, RecipeReal{0, 1e6, "Passes over the data (10)"});
  f("batch", r.batch, RecipeWhole{1, 4096, "Examples that go through the model together (4)"});
  f("accumulate", r.accumulate, RecipeWhole{1, 4096, "So many batches make one update (4)"});
  f("lr", r.lr, RecipeReal{0, 100, "Peak learning rate; 0: by mode and size of the model"});
  f("lr_adamw", r.lr_adamw, RecipeReal{0, 100, "Beside muon, of what is no matrix; 0: as lr"});
  f("schedule", r.schedule,
    RecipeWords{{"constant", "cosine", "linear", "trapezoid"},
                "Of the learning rate; trapezoid: level up to 40 %, then down to 0 (cosine)"});
  f("warmup", r.warmup, RecipeWhole{-1, kMany, "Steps up to the peak; -1: a twentieth of all"});
  f("optimizer", r.optimizer, RecipeWords{{"adamw", "sgd", "muon"}, "(adamw)"});
  f("weight_decay", r.weight_decay, RecipeReal{0, 100, "Times the learning rate, of matrices (1e-6)"});
  f("decay_all", r.decay_all, RecipeSwitch{"Of every tensor (off)"});
  f("beta1", r.beta1, RecipeReal{0, 0.9999999, "Of adamw (0.9)"});
  f("beta2", r.beta2, RecipeReal{0, 0.9999999, "Of adamw (0.999)"});
  f("eps", r.eps, RecipeReal{0, 1, "Of adamw (1e-8)"});
  f("clip", r.clip, RecipeReal{0, 1e9, "Longest gradient; 0: none is cut (1)"});
  f("clip_adamw_only", r.clip_adamw_only, RecipeSwitch{"Beside muon, whose steps do not depend on it (off)"});
  f("ema", r.ema, RecipeReal{0, 0.9999999, "Decay of an average of the weights, which is what is kept; 0: none"});
  f("loss", r.loss, RecipeWords{{"example-mean", "token-mean"}, "As big_vision, or as transformers (example-mean)"});
  f("label_smoothing", r.label_smoothing, RecipeReal{0, 0.99, "(0)"});
  f("soft_loc", r.soft_loc,
    RecipeReal{0, 100, "Loc tokens share what they count with near ones: deviation in pixels; 0: none"});
  f("dense_head", r.dense_head,
    RecipeReal{0, 100,
               "Image tokens say which thing is there and where, up to 85 % of the steps: what that counts beside the "
               "answers; 0: they do not"});
  f("dense_steps", r.dense_steps, RecipeWhole{0, kMany, "So many steps at the begin learn nothing else (0)"});
  f("token_weights", r.token_weights, RecipeText{"LIST", "What tokens count: loc=1,loc0=1.3,seg=1,text=1.7"});
  f("final_softcap", r.final_softcap, RecipeWords{{"auto", "on", "off"}, "Of the logits, kept with the result (off)"});
  f("attention_softcap", r.attention_softcap, RecipeWords{{"auto", "on", "off"}, "Of scores, the same (auto)"});
  f("checkpointing", r.checkpointing,
    RecipeWords{{"auto", "on", "off"}, "Blocks keep their input alone and run again (auto: where memory is short)"});
  f("seed", r.seed, RecipeWhole{0, kMany, "Of the order, the augmentation and what begins at random (0)"});

  f("metric", r.metric, RecipeText{"NAME", "What decides which step is the best (the task's)"});
  f("eval_every", r.eval_every, RecipeWhole{0, kMany, "Steps between evaluations; 0: one an epoch"});
  f("eval_limit", r.eval_limit, RecipeWhole{1, kMany, "Examples that an evaluation answers at most (200)"});
  f("patience", r.patience, RecipeWhole{0, kMany, "Stop after so many evaluations without a better one; 0: never"});
  f("save_every", r.save_every, RecipeWhole{0, kMany, "Steps between checkpoints; 0: at each evaluation"});
  f("keep", r.keep, RecipeWhole{1, 1000, "Last checkpoints that stay, beside the best (2)"});
  f("save_type", r.save_type, RecipeWords{{"auto", "f32", "bf16"}, "Of saved weights (auto: as trained)"});
  f("threads", r.threads, RecipeWhole{0, 4096, "(0: one for each core)"});
}

// From the text of a recipe.toml. Unknown names, and values of another kind or outside their range, are errors that say
// where. Throws Error{usage, "recipe"}.
Recipe read_recipe(std::string_view toml, std::string_view where);
std::string write_recipe(const Recipe& recipe);

// Checks that a word is one of the setting's. Throws Error{usage, "recipe"}.
void check_word(std::string_view name, std::string_view value, const RecipeWords& about);

// The option of a setting: "--lr-adamw".
std::string option_name(std::string_view setting);

}  // namespace paligemma
