"""The field side: reads sensors, cleans and watches every sample, sends it until the gateway has it."""
