/** Losses: functions of what the model gave and what it should have given. */
export * from "./classification-losses.ts";
export * from "./regression-losses.ts";
