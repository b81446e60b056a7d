// Exists to carry the precompiled headers of the library.
