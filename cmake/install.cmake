# install.cmake - what goes beside the program: man pages, an example of a configuration, the unit.
include(GNUInstallDirs)

if(XMTP_NODE)
  install(FILES packaging/xmtp.1 packaging/xmtp-node.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES packaging/node.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
  # The unit names the program where it is installed, which --prefix may move.
  install(CODE "
    file(READ \"${CMAKE_SOURCE_DIR}/packaging/xmtp-node.service\" unit)
    string(REPLACE /usr/bin/xmtp \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/xmtp\" unit \"\${unit}\")
    file(WRITE \"${CMAKE_BINARY_DIR}/xmtp-node.service\" \"\${unit}\")")
  install(FILES ${CMAKE_BINARY_DIR}/xmtp-node.service DESTINATION lib/systemd/system)
  if(XMTP_TESTS)
    add_test(NAME docs.settings
      COMMAND bash ${CMAKE_SOURCE_DIR}/cmake/check-settings.sh $<TARGET_FILE:xmtp>)
  endif()
endif()
