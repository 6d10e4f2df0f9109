import { defineConfig } from "vite";
import { screen } from "../vite.common.ts";

export default defineConfig(screen("field", "/field/"));
