/** gradus: deep learning in TypeScript. Layers are in gradus/nn, optimisers in gradus/optim, data in gradus/data, training in gradus/train. */
export * from "./tensor/index.ts";
