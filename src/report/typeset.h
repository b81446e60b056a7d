// Sets text with pango: any script that the installed fonts cover, right to left where it must be.
#pragma once

#include <memory>

#include "report/scene.h"

typedef struct _PangoContext PangoContext;
typedef struct _cairo cairo_t;

namespace paligemma {

// What is measured is what is shown: both go the same way. One thread at a time.
class Typesetter {
 public:
  Typesetter();
  TextSize measure(const TextBlock& block) const;
  void show(cairo_t* cairo, const PlacedText& text) const;  // in the current colour

 private:
  struct Release {
    void operator()(PangoContext* context) const;
  };
  std::unique_ptr<PangoContext, Release> context_;
};

}  // namespace paligemma
