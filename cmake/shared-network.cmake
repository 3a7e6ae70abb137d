# shared-network.cmake - libxmtp-network.so: the network for tests of programs, with a node inside, over libxmtp.so.
# It shows only what network.h declares.
add_library(xmtp_network_shared SHARED $<TARGET_OBJECTS:xmtp_network>)
set_target_properties(xmtp_network_shared PROPERTIES
  OUTPUT_NAME xmtp-network VERSION ${PROJECT_VERSION} SOVERSION 0 LINKER_LANGUAGE C)
# First the shared library, so that clients and agents are those of the program, not copies of them.
target_link_libraries(xmtp_network_shared PRIVATE xmtp_shared xmtp_node PkgConfig::SQLCIPHER)
target_link_options(xmtp_network_shared PRIVATE
  -Wl,-Bsymbolic -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro -Wl,-z,now)

install(TARGETS xmtp_network_shared)
install(FILES ${CMAKE_SOURCE_DIR}/include/xmtp/network.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xmtp)
install(CODE "
  file(WRITE \"${CMAKE_BINARY_DIR}/xmtp-network.pc\"
    \"prefix=\${CMAKE_INSTALL_PREFIX}\\n\"
    \"libdir=\\\${prefix}/${CMAKE_INSTALL_LIBDIR}\\n\\n\"
    \"Name: xmtp-network\\n\"
    \"Description: a network in one process, for tests of programs that use xmtp\\n\"
    \"Version: ${PROJECT_VERSION}\\n\"
    \"Requires: xmtp = ${PROJECT_VERSION}\\n\"
    \"Libs: -L\\\${libdir} -lxmtp-network\\n\")")
install(FILES ${CMAKE_BINARY_DIR}/xmtp-network.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
