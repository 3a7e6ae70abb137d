# shared-library.cmake - libxmtp.so: everything but the node and the command line, in one file that shows
# only what the public headers declare with XMTP_API. The libraries of the system are linked dynamically.
include(GNUInstallDirs)

set(rooms base crypto mls proto content identity rpc store client agent)
set(objects)
foreach(room IN LISTS rooms)
  list(APPEND objects $<TARGET_OBJECTS:xmtp_${room}>)
endforeach()
add_library(xmtp_shared SHARED ${objects})
set_target_properties(xmtp_shared PROPERTIES
  OUTPUT_NAME xmtp VERSION ${PROJECT_VERSION} SOVERSION 0 LINKER_LANGUAGE C)
target_link_libraries(xmtp_shared PRIVATE
  PkgConfig::SODIUM PkgConfig::SECP256K1 OpenSSL::SSL OpenSSL::Crypto PkgConfig::NGHTTP2
  PkgConfig::PROTOBUF_C PkgConfig::SQLCIPHER PkgConfig::CJSON PkgConfig::ZLIB PkgConfig::ZSTD Threads::Threads m)
# -Bsymbolic: a program with functions of the same names does not get between ours. nodelete: what is made once for
# the whole process (tables of secp256k1) stays where dlclose and dlopen would make it again and again.
target_link_options(xmtp_shared PRIVATE
  -Wl,-Bsymbolic -Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro -Wl,-z,now -Wl,-z,nodelete)
if(NOT XMTP_SANITIZE AND NOT XMTP_SANITIZE_THREADS)
  target_link_options(xmtp_shared PRIVATE -Wl,-z,defs)
endif()

# Public headers, but for those of what is not inside: the node, the network that has one (shared-network.cmake
# installs that), what needs libcurl.
file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/include/xmtp/*.h)
list(FILTER headers EXCLUDE REGEX "/(node|network|attachment)\\.h$")
install(TARGETS xmtp_shared)
install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xmtp)
# The paths in it are those of the installation, which --prefix may move.
install(CODE "
  file(WRITE \"${CMAKE_BINARY_DIR}/xmtp.pc\"
    \"prefix=\${CMAKE_INSTALL_PREFIX}\\n\"
    \"includedir=\\\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}\\n\"
    \"libdir=\\\${prefix}/${CMAKE_INSTALL_LIBDIR}\\n\\n\"
    \"Name: xmtp\\n\"
    \"Description: XMTP messaging: identity, conversations, agents, MLS\\n\"
    \"Version: ${PROJECT_VERSION}\\n\"
    \"Cflags: -I\\\${includedir}\\n\"
    \"Libs: -L\\\${libdir} -lxmtp\\n\")")
install(FILES ${CMAKE_BINARY_DIR}/xmtp.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
