// The configurations that come with the formats beside Hugging Face's: big_vision's .npz has none, KerasHub its own.
//
// Each is brought into transformers' terms and read by read_config(), so that one place decides what a model may be.
#pragma once

#include "model/layout.h"

namespace paligemma {

// The sizes are those of the arrays, the rest is big_vision's constants. The query scale is head_size^-0.5, except for
// the sizes of Gemma 2 27B; a file of other sizes that wants (width / heads)^-0.5 says so in `beside`, the config.json
// beside it, in big_vision's words:
//
//     "query_pre_attn_norm": "rsqrt_head_dim" | "rsqrt_emb_per_head"
//     "attn_logits_softcap": 50.0, "final_logits_softcap": 30.0       0: none
//     "width", "depth", "mlp_dim", "num_heads", "num_kv_heads", "head_dim", "vocab_size", "family" (1 or 2), "patch",
//     "image", "vit_width", "vit_depth", "vit_mlp", "vit_heads"       compared with the arrays
//
// A file with a "model_type" is some other model's and is not looked at. `where` names it in messages. Throws
// Error{model, "config"}.
Config big_vision_config(const LaidOut& model, const Json& beside, std::string_view where);
// What has to stand in config.json so that big_vision_config() gives `config`; empty when nothing has to. Throws
// Error{usage, "cannot_express"} when nothing can.
Json big_vision_config_json(const Config& config);

// KerasHub's config.json of a PaliGemmaBackbone. Its sizes must be those of the arrays. query_head_dim_normalize false
// means (width / heads)^-0.5, as in training; KerasHub itself always scales by head_size^-0.5. Throws
// Error{model, "config"}.
Config keras_config(const LaidOut& model, const Json& json, std::string_view where);
// Throws Error{usage, "cannot_express"} for what KerasHub does not compute.
Json keras_config_json(const Config& config, DType dtype);

}  // namespace paligemma
