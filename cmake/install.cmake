# find_package(paligemma) gives paligemma::paligemma.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/paligemma)

install(TARGETS paligemma_library EXPORT paligemma ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/paligemma DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY LICENSES DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(TARGET paligemma_program)
  install(TARGETS paligemma_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

install(EXPORT paligemma NAMESPACE paligemma:: FILE targets.cmake DESTINATION ${package_folder})
configure_package_config_file(cmake/paligemma-config.cmake.in paligemma-config.cmake
                              INSTALL_DESTINATION ${package_folder} NO_SET_AND_CHECK_MACRO
                              NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(paligemma-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/dependencies.cmake ${CMAKE_CURRENT_BINARY_DIR}/paligemma-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/paligemma-config-version.cmake DESTINATION ${package_folder})
