/* Which views are on the screen, and which one has the keys. */
#include "tui/ui.h"

struct view *
ui_focused(struct ui *ui)
{
	return ui->views[ui->tab[ui->focus]];
}

void
ui_layout(struct ui *ui)
{
	ui->layout.only = ui->full	  ? SLOT_FULL
			  : ui->maximised ? (int)ui->focus
					  : -1;
	ui->layout.lanes = ui->tasks.n ? (int)ui->tasks.n : 1;
	layout_compute(&ui->layout);
}

void
ui_open(struct ui *ui, enum view_id id)
{
	enum slot s = ui->views[id]->ops->slot;

	if (s != SLOT_FULL) {
		ui->full = false;
		ui->layout.hidden[s] = false;
		ui->focus = s;
	} else {
		if (!ui->full)
			ui->under = ui->focus;
		ui->full = true;
		ui->maximised = false;
	}
	if (s == SLOT_CODE)
		ui->code_auto = false;
	ui->tab[s] = id;
	ui->focus = s;
	ui->redraw = true;
}

void
ui_close_pane(struct ui *ui)
{
	if (ui->full) {
		ui->full = false;
		ui->focus = ui->under;
	} else if (ui->maximised) {
		ui->maximised = false;
	} else if (ui->focus == SLOT_EVENTS) {
		char key[KEY_NAME_MAX];

		ui_say(ui, "the events stay; %s quits",
		       keymap_key_of(&ui->keys, REQ_QUIT, key));
	} else {
		ui->layout.hidden[ui->focus] = true;
		ui->focus = SLOT_EVENTS;
	}
	ui->redraw = true;
}

void
ui_next_pane(struct ui *ui, int step)
{
	int s = (int)ui->focus;

	if (ui->full)
		return;
	do
		s = (s + step + SLOT_COUNT) % SLOT_COUNT;
	while (s == SLOT_FULL || ui->layout.hidden[s]);
	ui->focus = (enum slot)s;
	ui->redraw = true;
}

void
ui_next_tab(struct ui *ui, int step)
{
	int id = (int)ui->tab[ui->focus];

	do
		id = (id + step + VIEW_COUNT) % VIEW_COUNT;
	while (ui->views[id]->ops->slot != ui->focus);
	ui_open(ui, (enum view_id)id);
}
