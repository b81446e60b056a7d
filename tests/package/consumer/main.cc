#include <paligemma/paligemma.h>

#include <iostream>

int main() { std::cout << paligemma::version() << '\n'; }
