// Why a unit refuses: the codes of the standard in plain words. Source: MODBUS Application Protocol V1.1b3, §7.

const NAMES: Readonly<Record<number, readonly [name: string, words: string]>> = {
  1: ["illegal_function", "it does not know this function; ask by another table or function"],
  2: ["illegal_data_address", "it has no such register; check address and count, counted from 0"],
  3: ["illegal_data_value", "it does not take this value or count"],
  4: ["server_device_failure", "it failed while carrying this out; look at the unit itself"],
  5: ["acknowledge", "it has taken this and will be long about it"],
  6: ["server_device_busy", "it is busy; ask later"],
  8: ["memory_parity_error", "its memory is damaged; look at the unit itself"],
  10: ["gateway_path_unavailable", "the gateway in between cannot reach it"],
  11: ["gateway_target_failed_to_respond", "the gateway in between got no answer from it"],
};

/** `illegal_data_address`; `exception_42` for one that the standard does not have. */
export function exceptionName(code: number): string {
  return NAMES[code]?.[0] ?? `exception_${code}`;
}

/** `refuses with illegal_data_address (2): it has no such register; …`, to stand behind the unit's name. */
export function describeException(code: number): string {
  const words = NAMES[code]?.[1] ?? "the maker's manual may know this code";
  return `refuses with ${exceptionName(code)} (${code}): ${words}`;
}
