// @ts-check
/** Names of settings and rules, in English and Chinese. A key without words is shown as it is. */

import { spoken } from "./words.js";

/** Groups of keys, and with `rules.` before them the rules. @type {Record<string, [string, string]>} */
const GROUPS = {
  rules: ["Profile", "配置"], alarms: ["Alarm sound and reminders", "报警声音与提醒"], signal: ["Signal", "信号"],
  sound: ["Loudspeaker of this device", "本机扬声器"], retention: ["How long recordings are kept", "录制保存期限"],
  "rules.second_opinion": ["Rules and models together", "规则与模型的配合"], "rules.asystole": ["Asystole", "心脏停搏"],
  "rules.ventricular_fibrillation": ["Ventricular fibrillation", "心室颤动"], "rules.pause": ["Pause", "停搏"],
  "rules.extreme_bradycardia": ["Extreme bradycardia", "极度心动过缓"],
  "rules.extreme_tachycardia": ["Extreme tachycardia", "极度心动过速"],
  "rules.ventricular": ["Ventricular tachycardia and rhythms", "室性心动过速与室性心律"],
  "rules.ventricular_tachycardia": ["Ventricular tachycardia", "室性心动过速"],
  "rules.ventricular_rhythm": ["Ventricular rhythm", "室性心律"], "rules.ventricular_run": ["Ventricular run", "室性连发"],
  "rules.couplet": ["Ventricular couplet", "成对室性早搏"], "rules.bigeminy": ["Bigeminy", "二联律"],
  "rules.trigeminy": ["Trigeminy", "三联律"], "rules.r_on_t": ["R on T", "R on T"],
  "rules.multiform_pvc": ["Multiform ventricular beats", "多形性室性早搏"],
  "rules.pvcs_per_minute": ["Ventricular beats per minute", "每分钟室性早搏"],
  "rules.supraventricular": ["Supraventricular runs and tachycardia", "室上性连发与心动过速"],
  "rules.svt": ["Supraventricular tachycardia", "室上性心动过速"],
  "rules.bradycardia": ["Bradycardia", "心动过缓"], "rules.tachycardia": ["Tachycardia", "心动过速"],
  "rules.missed_beat": ["Missed beat", "漏搏"], "rules.pauses_per_minute": ["Pauses per minute", "每分钟停搏"],
  "rules.atrial_fibrillation": ["Atrial fibrillation", "心房颤动"], "rules.irregular_rhythm": ["Irregular rhythm", "心律不齐"],
  "rules.pacer_not_capturing": ["Pacer not capturing", "起搏未夺获"], "rules.pacer_not_pacing": ["Pacer not pacing", "起搏器未起搏"],
  "rules.signal_lost": ["Signal lost", "信号丢失"], "rules.lead_off": ["Lead off", "导联脱落"],
  "rules.unreadable": ["Signal unreadable", "信号不可读"], "rules.battery_low": ["Battery low", "电量低"],
};

/** Last parts of keys. @type {Record<string, [string, string]>} */
const KEYS = {
  enabled: ["In use", "启用"], profile: ["For someone", "适用于"], policy: ["A model confirms", "模型确认方式"],
  least_score: ["Least score of the model", "模型最低分数"], after_s: ["After", "持续时间"],
  first_beat_s: ["Without any beat yet, after", "尚无心搏时"], restart_gap_s: ["Begins anew after a hole of", "缺失后重新计时"],
  clear_s: ["Over when gone for", "消失后解除"], over_s: ["Longer than", "长于"], refractory_s: ["Again after", "再次报警间隔"],
  below_bpm: ["Below", "低于"], above_bpm: ["Above", "高于"], beats: ["Over so many beats", "心搏数"],
  hysteresis_bpm: ["Over when beyond the limit by", "解除余量"], run_beats: ["A run has at least", "连发最少心搏数"],
  end_beats: ["Ends with so many other beats", "结束所需其他心搏数"], idle_s: ["Ends without a beat for", "无心搏结束时间"],
  cycles: ["So many times in a row", "连续次数"], within_beats: ["Within so many beats", "心搏范围"], per_minute: ["More than", "多于"],
  svt_beats: ["Tachycardia from so many beats", "心动过速最少心搏数"], svt_bpm: ["Tachycardia above", "心动过速高于"],
  of_mean: ["Longer than so many mean intervals", "平均间期倍数"], without_s: ["Over when regular for", "规则后解除"],
  least_irregular: ["Least irregularity", "最低不齐程度"], told_s: ["Told after", "持续后报告"], within_s: ["Within", "时间内"],
  below_percent: ["Below", "低于"], hysteresis_percent: ["Over when above by", "解除余量"],
  pause_s: ["The sound pauses for", "静音时长"], reminder_s: ["Reminder every", "提醒间隔"],
  escalate_s: ["Louder when nobody comes within", "无人处理后升级"], mains_hz: ["Mains frequency", "电源频率"],
  ring_minutes: ["Signal in memory", "内存中的信号"], output: ["Output", "输出"], device: ["Sound card", "声卡"],
  raw_days: ["Signal goes after (0: stays)", "信号保存天数（0 为不限）"],
  event_days: ["Events go after (0: stay)", "事件保存天数（0 为不限）"],
  most_gb: ["Signal takes at most (0: no limit)", "信号最多占用（0 为不限）"], least_free_gb: ["Leave free", "保留空间"],
};

/** @type {Record<string, [string, string]>} */
const VALUES = {
  bed: ["at rest", "静息者"], active: ["who moves and exercises", "活动者"], or: ["or the rule", "或规则"], and: ["and the rule", "且规则"],
  weighted: ["weighted", "加权"], off: ["off", "关"], alsa: ["this device's sound card", "本机声卡"], true: ["yes", "是"], false: ["no", "否"],
};

/** Unit by the end of a key; the longest that fits. @type {[string, [string, string]][]} */
const UNITS = [
  ["_bpm", ["/min", "次/分"]], ["per_minute", ["/min", "次/分"]], ["_percent", ["%", "%"]], ["_minutes", ["min", "分钟"]],
  ["_days", ["days", "天"]], ["_gb", ["GB", "GB"]], ["_hz", ["Hz", "Hz"]], ["_s", ["s", "秒"]],
];

/** @param {[string, string] | undefined} words @param {string} otherwise */
function inTongue(words, otherwise) {
  return words ? words[spoken() === "zh" ? 1 : 0] : otherwise;
}

/** @param {string} group */
export function sayGroup(group) {
  return inTongue(GROUPS[group], group.replace(/^rules\./, "").replaceAll("_", " "));
}

/** @param {string} key */
export function sayKey(key) {
  const last = key.split(".").at(-1) ?? key;
  return inTongue(KEYS[last], last.replaceAll("_", " "));
}

/** @param {string} key */
export function sayUnit(key) {
  return inTongue(UNITS.find(([end]) => key.endsWith(end))?.[1], "");
}

/** @param {string} key @param {boolean | number | string} value */
export function sayValue(key, value) {
  if (key.endsWith("mains_hz") && value === 0) return inTongue(["none", "无"], "");
  const unit = sayUnit(key);
  return typeof value === "number" ? `${value}${unit ? ` ${unit}` : ""}` : inTongue(VALUES[String(value)], String(value));
}
