// The functions of eval/evaluate.h's table.
#pragma once

#include "eval/evaluate.h"

namespace paligemma {

using RecordsInMetric = std::span<const Record* const>;
using MetricValues = std::vector<MetricValue>;

// eval/metrics_of_text.cc
MetricValues evaluate_exact(RecordsInMetric records);
MetricValues evaluate_vqa(RecordsInMetric records);
MetricValues evaluate_simple_vqa(RecordsInMetric records);
MetricValues evaluate_anls(RecordsInMetric records);
MetricValues evaluate_anls_cased(RecordsInMetric records);
MetricValues evaluate_relaxed(RecordsInMetric records);
MetricValues evaluate_tally(RecordsInMetric records);
MetricValues evaluate_count_mae(RecordsInMetric records);
MetricValues evaluate_pope(RecordsInMetric records);
MetricValues evaluate_rsvqa(RecordsInMetric records);
MetricValues evaluate_science(RecordsInMetric records);
MetricValues evaluate_cer(RecordsInMetric records);
MetricValues evaluate_wer(RecordsInMetric records);
MetricValues evaluate_word_f1(RecordsInMetric records);
MetricValues evaluate_cider(RecordsInMetric records);
MetricValues evaluate_bleu(RecordsInMetric records);
MetricValues evaluate_rouge(RecordsInMetric records);
MetricValues evaluate_loss(RecordsInMetric records);

// eval/metrics_of_objects.cc
MetricValues evaluate_box_ap(RecordsInMetric records);
MetricValues evaluate_mask_ap(RecordsInMetric records);
MetricValues evaluate_box_f1(RecordsInMetric records);
MetricValues evaluate_mask_f1(RecordsInMetric records);
MetricValues evaluate_mask_iou(RecordsInMetric records);
MetricValues evaluate_absent(RecordsInMetric records);
MetricValues evaluate_spotting(RecordsInMetric records);
MetricValues evaluate_count_error(RecordsInMetric records);
MetricValues evaluate_referring(RecordsInMetric records);
MetricValues evaluate_calibration(RecordsInMetric records);

}  // namespace paligemma
