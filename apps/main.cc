#include "program.h"

int main(int count, char** words) { return paligemma::run_program({words + (count > 0 ? 1 : 0), words + count}); }
