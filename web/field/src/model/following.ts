// Where the phone is from now on. A signal is lost at every wall: what was received stands, with its age, until the next one.
import { computed, onScopeDispose, ref, shallowRef, type ComputedRef, type ShallowRef } from "vue";
import { fixOf, GPS_WAIT_MS, type Fix } from "./fix.ts";

const [MINUTE_MS, LOOK_MS] = [60_000, 10_000];

/** What a screen says of it: the key of the words, how old the last position is, and whether it is worth a warning. */
export interface Said {
  key: string;
  minutes: number;
  isTrouble: boolean;
}

/** Follows the phone's position from the first `follow` on, as long as the screen stands; asking again begins anew where nothing was received. */
export function useFollowing(arrived: (fix: Fix) => void): { fix: Readonly<ShallowRef<Fix | null>>; said: ComputedRef<Said | null>; follow: () => void } {
  const fix = shallowRef<Fix | null>(null);
  const trouble = ref<"" | "none" | "refused" | "silent">("");
  const isLooking = ref(false);
  const now = ref(0);
  let watch: number | null = null;
  let clock = 0;

  function stop(): void {
    if (watch !== null) navigator.geolocation.clearWatch(watch);
    watch = null;
    window.clearInterval(clock);
  }
  function follow(): void {
    if (!("geolocation" in navigator)) trouble.value = "none";
    else if (fix.value && trouble.value !== "refused") arrived(fix.value);
    else begin();
  }
  function begin(): void {
    stop();
    trouble.value = "";
    isLooking.value = true;
    clock = window.setInterval(() => (now.value = Date.now()), LOOK_MS);
    watch = navigator.geolocation.watchPosition(
      ({ coords }) => {
        isLooking.value = false;
        trouble.value = "";
        fix.value = fixOf(coords);
        arrived(fix.value);
      },
      (error) => {
        isLooking.value = false;
        trouble.value = error.code === error.PERMISSION_DENIED ? "refused" : "silent";
        now.value = Date.now();
      },
      { enableHighAccuracy: true, timeout: GPS_WAIT_MS, maximumAge: 5000 },
    );
  }
  onScopeDispose(stop);

  const said = computed((): Said | null => {
    const minutes = fix.value ? Math.floor((now.value - Date.parse(fix.value.at)) / MINUTE_MS) : 0;
    const is = (key: string, isTrouble = true): Said => ({ key, minutes, isTrouble });
    if (isLooking.value) return is("find.looking", false);
    if (trouble.value === "silent" && fix.value) return minutes >= 1 ? is("find.gps.before") : null; // a position that has just come is one
    return trouble.value === "" ? null : is(`find.gps.${trouble.value}`);
  });
  return { fix, said, follow };
}
