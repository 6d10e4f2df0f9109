// A photo as it leaves a phone: small enough for a slow line, and without what the camera wrote into it (place, serial number).
const LONGEST_PX = 1280;
const QUALITY = 0.75;

/** JPEG bytes of an image file, at most 1280 px on its longer side, upright. Throws where it is no image. */
export async function shrink(file: Blob): Promise<Uint8Array> {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_PX / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  if (!blob) throw new Error("the image could not be written");
  return new Uint8Array(await blob.arrayBuffer());
}
