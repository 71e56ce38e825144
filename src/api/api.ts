/**
 * How others look in. So far that is one page of text: the metrics.
 */
export { formatMetrics, type JobMetrics } from "./metrics.ts";
