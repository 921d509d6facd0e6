// @ts-check
/** Every word of the page, in English and Chinese. Alarm texts come from the daemon. */

const WORDS = {
  en: {
    skip: "Skip to content", disclaimer: "Not a medical device, not for emergencies",
    theme: "Theme", theme_auto: "Theme: auto", theme_light: "Light", theme_dark: "Dark",
    sources: "Sources", live: "Live ECG", lead: "Lead", vitals: "Now", heart_rate: "Heart rate",
    per_minute: "/min", alarms: "Alarms", no_alarms: "No alarm since the daemon started.",
    alarm_detail: "Alarm detail", choose_alarm: "Choose an alarm to see why it was raised.",
    trend: "Rate and ectopic beats by the minute", as_table: "As a table", time: "Time",
    mean: "Mean /min", range: "Lowest to highest", beats: "Beats", device: "Device",
    log_in: "Log in", log_out: "Log out", name: "Name", password: "Password", cancel: "Cancel",
    mark: "Mark", mark_label: "Write down at this moment", marked: "Marked.",
    beat_N: "normal", beat_S: "supraventricular", beat_V: "ventricular", beat_F: "fusion",
    beat_Q: "not classified",
    models_unsigned: "MODELS THAT NOBODY HAS SIGNED: {m}", models_on_trial: "New models on trial: {m}",
    not_monitoring: "NOT MONITORING", since: "since", no_contact: "no contact with the daemon",
    old_value: "{s} s old", quality: "Signal", ectopy: "Beats so far", state: "State",
    online: "online", no_signal: "no signal", offline: "offline", connecting: "connecting",
    sound_on: "Sound on", sound_blocked: "Sound blocked: click to enable", sound_off: "Sound off",
    high: "high priority", medium: "medium priority", low: "low priority",
    physiological: "physiological", technical: "technical",
    active: "active", over: "over", rule: "Rule", source_of_rule: "Source", priority: "Priority",
    strip_gone: "The signal around this alarm is no longer in memory; the recording has it.",
    strip_label: "ECG 15 s before to 15 s after the alarm", values: "What the rule compared",
    scores: "Beats before it, with the model's scores", no_scores: "No classified beat near it.",
    no_map: "This bundle gives no activation map.",
    battery: "Battery", unknown: "not told", leads: "Leads", sample_rate: "Sampling", model: "Model",
    firmware: "Firmware", session: "Session", gaps: "Gaps", lost: "{n}, {s} s in all",
    link: "Link", duration: "Monitored", version: "Version", none: "none",
    rate_label: "Heart rate {r} per minute, signal {q}", new_alarm: "Alarm, {p}: {t}",
    acknowledge: "Acknowledge", acknowledged: "acknowledged", latched: "latched", reset: "Reset",
    pause_audio: "Pause sound (2 min)", resume_audio: "Sound again", switch_off: "Alarms off",
    switch_on: "Alarms on", alarms_off: "ALARMS ARE OFF", audio_paused: "Sound paused for {s} s",
    recordings: "Recordings", format: "Format", export: "Export", running: "running",
    export_hint: "The first five minutes of a recording at most; the command line exports all of it. Needs a login.",
    exporting: "Exporting …", exported: "Saved as {f}.", export_of: "Export the recording of {t}",
    trend_empty: "No minute with beats yet.",
  },
  zh: {
    skip: "跳到内容", disclaimer: "非医疗器械，不可用于急救",
    theme: "主题", theme_auto: "主题：自动", theme_light: "浅色", theme_dark: "深色",
    sources: "信号源", live: "实时心电图", lead: "导联", vitals: "当前", heart_rate: "心率",
    per_minute: "次/分", alarms: "报警", no_alarms: "自守护进程启动以来没有报警。",
    alarm_detail: "报警详情", choose_alarm: "选择一条报警以查看触发原因。",
    trend: "每分钟心率与异位搏动", as_table: "以表格显示", time: "时间",
    mean: "平均 次/分", range: "最低至最高", beats: "心搏", device: "设备",
    log_in: "登录", log_out: "退出", name: "用户名", password: "密码", cancel: "取消",
    mark: "标记", mark_label: "在此刻记下", marked: "已标记。",
    beat_N: "正常", beat_S: "室上性", beat_V: "室性", beat_F: "融合", beat_Q: "未分类",
    models_unsigned: "模型未经签名：{m}", models_on_trial: "新模型试用中：{m}",
    not_monitoring: "未在监护", since: "自", no_contact: "与守护进程失去联系",
    old_value: "{s} 秒前的数值", quality: "信号质量", ectopy: "累计心搏", state: "状态",
    online: "在线", no_signal: "无信号", offline: "离线", connecting: "正在连接",
    sound_on: "声音已开", sound_blocked: "声音被阻止：点击启用", sound_off: "声音已关",
    high: "高优先级", medium: "中优先级", low: "低优先级",
    physiological: "生理报警", technical: "技术报警",
    active: "进行中", over: "已结束", rule: "规则", source_of_rule: "依据", priority: "优先级",
    strip_gone: "此报警前后的信号已不在内存中；录制文件中仍有保存。",
    strip_label: "报警前后各 15 秒的心电图", values: "规则比较的数值",
    scores: "此前的心搏及模型评分", no_scores: "附近没有已分类的心搏。",
    no_map: "此模型包不提供激活图。",
    battery: "电量", unknown: "未报告", leads: "导联", sample_rate: "采样率", model: "型号",
    firmware: "固件", session: "会话", gaps: "缺失", lost: "{n} 处，共 {s} 秒",
    link: "连接", duration: "已监护", version: "版本", none: "无",
    rate_label: "心率每分钟 {r} 次，信号 {q}", new_alarm: "报警，{p}：{t}",
    acknowledge: "确认", acknowledged: "已确认", latched: "已锁存", reset: "复位",
    pause_audio: "暂停声音（2 分钟）", resume_audio: "恢复声音", switch_off: "关闭报警",
    switch_on: "开启报警", alarms_off: "报警已关闭", audio_paused: "声音暂停 {s} 秒",
    recordings: "录制", format: "格式", export: "导出", running: "进行中",
    export_hint: "最多导出录制的前五分钟；命令行可导出全部。需要登录。",
    exporting: "正在导出…", exported: "已保存为 {f}。", export_of: "导出 {t} 的录制",
    trend_empty: "尚无含心搏的分钟。",
  },
};

/** What the daemon says in fixed English words, for the Chinese page. */
const QUALITY_ZH = {
  good: "良好", usable: "可用", unusable: "不可用", "lead off": "导联脱落",
  "waiting for signal": "等待信号",
};

/** @type {"en" | "zh"} */
let language = "en";

/** @param {string} chosen */
export function speak(chosen) {
  language = chosen === "zh" ? "zh" : "en";
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-word]")) {
    element.textContent = say(/** @type {HTMLElement} */ (element).dataset.word ?? "");
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(/** @type {HTMLElement} */ (element).dataset.label ?? ""));
  }
}

/**
 * @param {string} key
 * @param {Record<string, string | number>} [filled]
 * @returns {string}
 */
export function say(key, filled = {}) {
  const words = /** @type {Record<string, string>} */ (WORDS[language]);
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(filled[name] ?? ""));
}

/** @param {string} level */
export function sayQuality(level) {
  const zh = /** @type {Record<string, string>} */ (QUALITY_ZH);
  return language === "zh" ? (zh[level] ?? level) : level;
}

/** The browser's language, where it is one of ours. */
export function preferred() {
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}
