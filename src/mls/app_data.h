/* app_data.h - application data of components inside MLS structs: the app_data_dictionary extension
 * and the AppDataUpdate proposal. draft-ietf-mls-extensions-10, sections 4.1, 4.6 and 4.7; code
 * points as suggested there (extension 0x0006, proposal 0x0008).
 *
 *     AppDataDictionary = ComponentData<V>, each: uint16 component_id, data<V>; by rising id
 */
#ifndef XMTP_MLS_APP_DATA_H
#define XMTP_MLS_APP_DATA_H

#include "mls/proposals.h"

/* Whether a dictionary can be read, its ids rising. XMTP_E_APP_DATA. */
xmtp_status xmtp_app_data_check(xmtp_bytes dictionary) XMTP_MUST_CHECK;

/* Where required_capabilities lists AppDataUpdate, the extensions that a GroupContextExtensions
 * proposal sets have the group's own dictionary unchanged, whether or not AppDataUpdate proposals
 * stand beside it. XMTP_E_APP_DATA_LOCKED. */
xmtp_status xmtp_app_data_check_locked(const xmtp_mls_group *group,
                                       const xmtp_extensions *extensions,
                                       xmtp_error *error) XMTP_MUST_CHECK;

/* Applies the AppDataUpdate proposals of a list (there is at least one) to extensions; the new list
 * is in the arena. XMTP_E_APP_DATA, XMTP_E_PROPOSAL_LIST. */
xmtp_status xmtp_app_data_apply(const xmtp_mls_group *group, const xmtp_applied *applied,
                                xmtp_arena *arena, xmtp_extensions *extensions,
                                xmtp_error *error) XMTP_MUST_CHECK;

#endif
