"""The words of printed reports, in English and Chinese.

A character that is new here is new to the embedded font too: `make report-font`.
"""

from typing import Final, Literal

Language = Literal["en", "zh"]

_ENGLISH: Final = {
    "title": "Holter summary",
    "about": "session {session}   source {source}   from {started}   page {page}",
    "warning": "ecg-edge. Not a medical device, not for emergencies. Not reviewed by anybody.",
    "analysed": "Analysed",
    "analysed_value": "{h} h, lost {l} h",
    "rate": "Heart rate",
    "rate_value": "{low} to {high} /min, mean {mean}",
    "beats": "Beats",
    "ventricular": "Ventricular",
    "supraventricular": "Supraventricular",
    "ectopy_value": "{n} ({r}/h), {c} couplets, {u} runs",
    "pauses": "Pauses",
    "pauses_value": "{n} above 2 s, longest RR {s} s",
    "af": "Atrial fibrillation",
    "af_unknown": "not looked for",
    "af_value": "{m} min, {p} % of the time",
    "variability": "Variability",
    "plot": "Heart rate (lowest, mean, highest) and ectopic beats by the hour",
    "table": "By the hour",
    "time": "Time",
    "minutes": "Minutes",
    "low": "Lowest",
    "mean": "Mean",
    "high": "Highest",
    "couplets": "Couplets",
    "runs": "Runs",
    "day": "all",
    "strips": "Worth a look, lead {lead}: 25 mm/s, 10 mm/mV",
    "no_signal": "The signal of this moment is not kept.",
    "lowest_bpm": "lowest rate, {v} /min",
    "highest_bpm": "highest rate, {v} /min",
    "longest_pause_s": "longest pause, {v} s",
    "af_onset_s": "longest atrial fibrillation, {v} s",
    "single_ventricular": "first single ventricular beat",
    "single_supraventricular": "first single supraventricular beat",
    "longest_ventricular_couplet_beats": "first ventricular couplet",
    "longest_ventricular_run_beats": "longest ventricular run, {v} beats",
    "longest_supraventricular_couplet_beats": "first supraventricular couplet",
    "longest_supraventricular_run_beats": "longest supraventricular run, {v} beats",
}
_CHINESE: Final = {
    "title": "动态心电摘要",
    "about": "会话 {session}   信号源 {source}   自 {started}   第 {page} 页",
    "warning": "ecg-edge。非医疗器械，不可用于急救。未经人工审核。",
    "analysed": "已分析",
    "analysed_value": "{h} 小时，缺失 {l} 小时",
    "rate": "心率",
    "rate_value": "{low} 至 {high} 次/分，平均 {mean}",
    "beats": "心搏",
    "ventricular": "室性",
    "supraventricular": "室上性",
    "ectopy_value": "{n} 次（每小时 {r}），成对 {c}，连发 {u}",
    "pauses": "停搏",
    "pauses_value": "超过 2 秒 {n} 次，最长 RR {s} 秒",
    "af": "心房颤动",
    "af_unknown": "未检测",
    "af_value": "{m} 分钟，占 {p} %",
    "variability": "变异性",
    "plot": "每小时心率（最低、平均、最高）与异位搏动",
    "table": "按小时",
    "time": "时间",
    "minutes": "分钟",
    "low": "最低",
    "mean": "平均",
    "high": "最高",
    "couplets": "成对",
    "runs": "连发",
    "day": "全天",
    "strips": "值得查看之处，导联 {lead}：25 mm/s，10 mm/mV",
    "no_signal": "此刻的信号未保存。",
    "lowest_bpm": "最低心率 {v} 次/分",
    "highest_bpm": "最高心率 {v} 次/分",
    "longest_pause_s": "最长停搏 {v} 秒",
    "af_onset_s": "最长心房颤动 {v} 秒",
    "single_ventricular": "首个单发室性搏动",
    "single_supraventricular": "首个单发室上性搏动",
    "longest_ventricular_couplet_beats": "首个成对室性搏动",
    "longest_ventricular_run_beats": "最长室性连发 {v} 次",
    "longest_supraventricular_couplet_beats": "首个成对室上性搏动",
    "longest_supraventricular_run_beats": "最长室上性连发 {v} 次",
}
WORDS: Final[dict[Language, dict[str, str]]] = {"en": _ENGLISH, "zh": _CHINESE}


def say(language: Language, key: str, **filled: object) -> str:
    """The words of `key`; the key itself where it has none."""
    return WORDS[language].get(key, key).format(**filled)
